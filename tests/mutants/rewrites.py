"""Mutants of source lines: the engine, the optimizers and the modules' state with one fragment changed.

The changed source of a function is compiled anew, and its code takes the place of the function's own
while the mutant is planted; the file stays as it is.  Each mutant names the test that has to notice it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import textwrap
import types

from ops.core import TABLE
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.recorder import written

__all__ = ["REWRITES", "Rewrite", "planted"]


@dataclasses.dataclass(frozen=True)
class Rewrite:
    """A function with one changed fragment.

    Attributes:
        kind: the part of the project: engine, in place, optimizer, state.
        what: the bug in words.
        target: ``module:function`` or ``module:Class.method``.
        old, new: the fragment, which occurs once, and what it becomes.
        test: the pytest id of the test that is to fail.
    """

    kind: str
    what: str
    target: str
    old: str
    new: str
    test: str

    @property
    def name(self) -> str:
        """Such as ``engine: gradients overwritten``."""
        return f"{self.kind}: {self.what}"

    def function(self) -> types.FunctionType:
        """The function that is changed."""
        module, _, path = self.target.partition(":")
        found = importlib.import_module(module)
        for name in path.split("."):
            found = inspect.getattr_static(found, name)
        found = getattr(found, "__func__", getattr(found, "fget", found))
        return inspect.unwrap(found)

    def code(self) -> types.CodeType:
        """The code of the changed function.

        Raises:
            ValueError: if the fragment does not occur exactly once: the mutant is out of date.
        """
        function = self.function()
        source = textwrap.dedent(inspect.getsource(function))
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} occurs {source.count(self.old)} times in "
                             f"{self.target}; bring the mutant up to date")
        changed = "from __future__ import annotations\n" + source.replace(self.old, self.new)
        module = compile(changed, f"<mutant {self.name}>", "exec")
        return next(constant for constant in module.co_consts
                    if isinstance(constant, types.CodeType) and constant.co_name == function.__name__)


@contextlib.contextmanager
def planted(mutant: Rewrite):
    """The changed code in the function, inside a ``with`` block; what it writes for ops is written anew."""
    function = mutant.function()
    right = function.__code__
    try:
        function.__code__ = mutant.code()
        if mutant.target.startswith(_RECORDER):
            _write_recorders()
        yield
    finally:
        function.__code__ = right
        if mutant.target.startswith(_RECORDER):
            _write_recorders()
        mode.recording, mode.inference = True, False  # a mutant may have left them behind


def _write_recorders() -> None:
    for op in TABLE.values():
        if op.recorded is not None:
            op.recorded.__code__ = written(op).__code__


_ENGINE = "tinygrad_hw.autograd.engine"
_GRAPH = "tinygrad_hw.autograd.graph"
_MEMORY = "tinygrad_hw.memory:SharedMemory"
_RECORDER, _RECORDING = "tinygrad_hw.recorder", "tinygrad_hw.recording"
_STATE = "tinygrad_hw.nn.state:State"
_UPDATE = "ops.update"
_AUTOGRAD, _HOOKS = "tests/test_autograd.py", "tests/test_hooks_and_modes.py"
_INPLACE, _VIEWS = "tests/test_inplace.py", "tests/test_inplace_views.py"
_KEPT = "tests/test_graph_memory.py"
_SUMS = "tests/test_accumulation.py"
_RECORDED = "tests/test_recording.py"
_OPTIM, _STEPS, _NN = "tests/test_optim.py", "tests/test_update.py", "tests/test_nn.py"

_ENGINE_MUTANTS = {
    f"{_ENGINE}:_accumulate": [
        ("gradients of a second pass overwrite the first", "leaf._grad.array += gradient",
         "leaf._grad.array[...] = gradient", f"{_AUTOGRAD}::test_gradients_accumulate_until_cleared"),
        ("recorded gradients of a second pass overwrite the first",
         "leaf._grad = ops.add(leaf._grad, gradient)", "leaf._grad = gradient",
         f"{_SUMS}::test_recorded_gradients_accumulate"),
        ("an accumulated gradient keeps its version",
         'leaf._grad._bump("the gradient was accumulated in backward()")', "pass",
         f"{_SUMS}::test_accumulation_is_a_change_in_place"),
        ("a borrowed array becomes the gradient", "owned = owned and gradient.flags.c_contiguous",
         "owned = True", f"{_KEPT}::test_gradients_of_one_op_are_separate"),
        ("post-accumulate hooks are forgotten", "if leaf._post_accumulate_hooks:", "if False:",
         f"{_HOOKS}::test_post_accumulate_hook_may_take_the_gradient"),
    ],
    f"{_ENGINE}:_deliver": [
        ("paths that meet overwrite each other", "slot[:] = np.asarray(slot[0] + gradient), True",
         "slot[:] = gradient, False", f"{_AUTOGRAD}::test_paths_that_meet_are_summed"),
        ("a third path overwrites the sum of two", "slot[0] += gradient", "slot[0] = gradient",
         f"{_AUTOGRAD}::test_paths_that_meet_are_summed"),
        ("recorded paths that meet overwrite each other", "slot[0] = add(slot[0], gradient)",
         "slot[0] = gradient", f"{_AUTOGRAD}::test_third_order"),
        ("sums are written into arrays of others", "elif slot[1]:", "elif True:",
         f"{_KEPT}::test_accumulation_does_not_write_into_what_a_hook_kept"),
    ],
    f"{_ENGINE}:run": [
        ("nodes run from the oldest to the newest", "heappush(queue, target.order)",
         "queue.insert(0, target.order)", f"{_AUTOGRAD}::test_paths_that_meet_are_summed"),
        ("retain_graph is ignored", "if not retain_graph:", "if True:",
         f"{_AUTOGRAD}::test_retain_graph_allows_another_pass"),
        ("the graph is never freed", "if not retain_graph:", "if False:",
         f"{_AUTOGRAD}::test_second_backward_names_the_op"),
        ("create_graph records nothing", "= create_graph, []", "= False, []",
         f"{_AUTOGRAD}::test_create_graph_keeps_the_graph_and_records_the_gradient"),
        ("grad() fills the leaves as well", "if capture is None:", "if True:",
         f"{_AUTOGRAD}::test_grad_leaves_grad_attributes_alone"),
        ("all nodes run, needed or not", "useful = None if wanted is None else",
         "useful = None if True else", f"{_AUTOGRAD}::test_inputs_restricts_the_leaves"),
    ],
    f"{_ENGINE}:_call_hooks": [
        ("hooks run in the reverse order", "list((node.hooks or {}).get(index, {}).values())",
         "list((node.hooks or {}).get(index, {}).values())[::-1]",
         f"{_HOOKS}::test_tensor_hooks_replace_in_order_and_can_be_removed"),
        ("what a hook returns is dropped", "if replaced is not None:", "if False:",
         f"{_HOOKS}::test_tensor_hooks_replace_in_order_and_can_be_removed"),
        ("retain_grad keeps the last gradient alone",
         "kept if tensor._grad is None else ops.add(tensor._grad, kept)", "kept",
         f"{_HOOKS}::test_retain_grad"),
    ],
    f"{_ENGINE}:_checked": [
        ("hooks may change the shape", "if replaced.shape != gradient.shape:", "if False:",
         f"{_HOOKS}::test_a_hook_that_returns_nonsense_is_named"),
    ],
    f"{_ENGINE}:_captured": [
        ("grad() returns memory of the pass", "own_copy(gradient)", "gradient",
         f"{_KEPT}::test_gradients_of_one_op_are_separate"),
    ],
    f"{_GRAPH}:OpNode._fit": [
        ("gradients are not summed over broadcast axes", "gradient = sum_to(gradient, shape)",
         "gradient = gradient[(0,) * (gradient.ndim - len(shape))]",
         "tests/test_table.py::test_gradient[add]"),
        ("gradients keep the wider dtype", "if ops.core.dtype_of(gradient) != dtype:", "if False:",
         f"{_AUTOGRAD}::test_gradient_takes_the_dtype_and_shape_of_its_input"),
        ("a wrong shape from a rule is summed in silence", "if not self.op.broadcasts:", "if False:",
         f"{_SUMS}::test_a_rule_of_the_wrong_shape_is_named"),
    ],
    f"{_GRAPH}:OpNode.backward": [
        ("versions are not checked", "self._check_versions()", "pass",
         f"{_INPLACE}::test_stale_saved_value_is_named"),
        ("versions in sequences are not checked", "type(origin) is list or ",
         "type(origin) is not list and ",
         f"{_INPLACE}::test_stale_value_is_noticed_through_views_and_in_sequences"),
        ("freed values are not missed", "raise self.freed()", "return [None]",
         f"{_AUTOGRAD}::test_second_backward_names_the_op"),
    ],
    f"{_GRAPH}:OpNode._unpack": [
        ("saved values lose their history", "return kind._with_history(value, edge, counter)",
         "return kind._wrap(value)", f"{_AUTOGRAD}::test_third_order"),
        ("a saved output loses its history", "edge = (self, 0) if edge == 0 else None", "edge = None",
         "tests/test_table.py::test_second_order[exp]"),
    ],
    "tinygrad_hw.autograd.api:_roots": [
        ("a backward pass of a scalar starts from 2", "ones.fill(1)", "ones.fill(2)",
         f"{_AUTOGRAD}::test_paths_that_meet_are_summed"),
    ],
    "tinygrad_hw.autograd.mode:_Switch.__exit__": [
        ("no_grad does not end", "*self._before, (mode.recording, mode.inference) = self._before",
         "pass", f"{_HOOKS}::test_modes_as_context_and_decorator"),
    ],
}

_INPLACE_MUTANTS = {
    f"{_MEMORY}._bump": [
        ("changes are not counted", "self._version_counter[0] += 1", "pass",
         f"{_INPLACE}::test_stale_saved_value_is_named"),
    ],
    f"{_MEMORY}._assign": [
        ("the history of a change is lost", "self._rebase(history, overwrite)", "pass",
         f"{_INPLACE}::test_whole_tensor"),
        ("saved values are overwritten with the result", "self._keep_original(history[0], since)",
         "pass", f"{_INPLACE}::test_whole_tensor"),
    ],
    f"{_MEMORY}._assign_item": [
        ("the history of an item assignment is lost", "self._rebase((node, 0))", "pass",
         f"{_VIEWS}::test_setitem"),
    ],
    f"{_MEMORY}._rebase": [
        ("a view's change does not reach the base",
         "base._take_history((link(view_scatter, (base, source, view.steps), ()), 0))", "pass",
         f"{_VIEWS}::test_views"),
    ],
    f"{_MEMORY}._refresh_view": [
        ("siblings do not notice a change", "if view.seen == self._version_counter[0]:", "if True:",
         f"{_VIEWS}::test_siblings_notice_the_change"),
        ("a view's node is never made", "(unlinked[1], view.place), None", "None, None",
         f"{_RECORDED}::test_a_view_keeps_the_history_that_its_source_had"),
    ],
    f"{_MEMORY}._check_inplace": [
        ("leaves may be changed in place", "if edge is not None and type(edge[0]) is Accumulate:",
         "if False:", f"{_INPLACE}::test_leaves_that_require_gradients_are_refused"),
    ],
    f"{_MEMORY}._take_history": [
        ("retain_grad stays behind at the old history", "self.retain_grad()", "pass",
         f"{_INPLACE}::test_retain_grad_and_hooks_around_a_change"),
    ],
    "tinygrad_hw.autograd.nodes:Overwrite.backward": [
        ("overwritten values still receive the gradient", "else np.zeros_like(g)", "else g",
         f"{_INPLACE}::test_overwriting_keeps_requires_grad_and_gives_zeros"),
    ],
    f"{_RECORDER}_node:_kept": [
        ("changes of saved arguments go unnoticed", '"{name}._version_counter, {name}._version_counter[0], ',
         '"[0], 0, ', f"{_INPLACE}::test_stale_saved_value_is_named"),
        ("changes of saved results go unnoticed", '({result}._version_counter, 0,', "([0], 0,",
         f"{_RECORDED}::test_a_saved_result_is_the_one_that_was_returned"),
        ("saved arguments lose their history", "[0], {name}._history", "[0], None",
         f"{_AUTOGRAD}::test_third_order"),
    ],
    f"{_RECORDER}_text:_results": [
        ("integers have a history", ' or result.array.dtype.kind != "f"', "",
         f"{_RECORDED}::test_only_what_needs_a_gradient_is_recorded"),
    ],
    f"{_RECORDER}_node:_saved": [
        ("what one rule needs is saved for another", "if wanted & {mask}:", "if True:",
         "tests/test_recorder.py::test_what_only_one_rule_needs_is_saved_for_that_one"),
    ],
    f"{_RECORDER}_text:_view": [
        ("a view forgets the place that a Tensor named", "computed, {named})", "computed, False)",
         f"{_RECORDED}::test_a_view_remembers_the_place_that_a_tensor_named"),
    ],
    f"{_RECORDING}:record_view": [
        ("views have versions of their own", "result._version_counter = source._version_counter",
         "result._version_counter = [0, None]",
         f"{_INPLACE}::test_versions_count_changes_and_are_shared_by_views"),
        ("a view of a view forgets the first", "(*before.steps, step)", "(step,)", f"{_VIEWS}::test_views"),
        ("a view's node is numbered when it is made", "f_lasti), next(numbers))]", "f_lasti), -10**9)]",
         f"{_RECORDED}::test_a_views_node_tells_where_and_when_the_view_was_taken"),
    ],
    f"{_RECORDING}:record_parts": [
        ("all parts are the first output", "base, before, cut, place", "base, before, cut, 0",
         f"{_RECORDED}::test_parts_are_outputs_of_one_node"),
    ],
    "tinygrad_hw.tensor:Tensor.detach": [
        ("detach() has versions of its own", "result._version_counter = self._version_counter", "pass",
         f"{_INPLACE}::test_versions_count_changes_and_are_shared_by_views"),
    ],
}

_OPTIMIZER_MUTANTS = {
    f"{_UPDATE}:sgd_step": [
        ("SGD climbs", "direction = -1 if maximize else 1", "direction = 1 if maximize else -1",
         f"{_STEPS}::test_sgd"),
        ("SGD climbs (other layouts)", "parameter -= lr * gradient", "parameter += lr * gradient",
         f"{_STEPS}::test_layouts"),
        ("SGD without weight decay", "direction, weight_decay, momentum", "direction, 0.0, momentum",
         f"{_STEPS}::test_sgd"),
        ("SGD without weight decay (other layouts)", "if weight_decay:", "if False:",
         f"{_STEPS}::test_infinity_and_nan_as_in_numpy"),
        ("SGD without dampening", "1 - dampening, starts", "1.0, starts", f"{_STEPS}::test_sgd"),
        ("SGD's buffer is started anew each time", "starts, nesterov)", "True, nesterov)",
         f"{_STEPS}::test_sgd"),
        ("SGD's buffer is stale (other layouts)", "buffer *= momentum", "pass",
         f"{_STEPS}::test_layouts"),
        ("SGD without Nesterov's step", "starts, nesterov)", "starts, False)", f"{_STEPS}::test_sgd"),
    ],
    "tinygrad_hw.optim.sgd:SGD._update_all": [
        ("SGD's state does not keep the buffer", 'state["momentum_buffer"] = buffer', "pass",
         f"{_STEPS}::test_one_launch_for_a_group"),
    ],
    f"{_UPDATE}:adam_step": [
        ("Adam without bias correction of the mean", "size = lr / (1 - beta1 ** step)", "size = lr",
         f"{_STEPS}::test_adam"),
        ("Adam without bias correction of the square", "root = math.sqrt(1 - beta2 ** step)",
         "root = 1.0", f"{_STEPS}::test_adam"),
        ("Adam climbs", "-1 if maximize else 1", "1 if maximize else -1", f"{_STEPS}::test_adam"),
        ("Adam without weight decay", "decay = 0 if decoupled else weight_decay", "decay = 0",
         f"{_STEPS}::test_adam"),
        ("AdamW decays through the gradient", "decay = 0 if decoupled else weight_decay",
         "decay = weight_decay", f"{_STEPS}::test_adam"),
        ("AdamW does not shrink", "shrink = 1 - lr * weight_decay if decoupled else 1", "shrink = 1",
         f"{_STEPS}::test_adam"),
        ("AMSGrad forgets the largest square (other layouts)",
         "square = np.maximum(largest, square, out=largest)", "pass",
         f"{_STEPS}::test_infinity_and_nan_as_in_numpy"),
    ],
    "tinygrad_hw.optim.optimizer:Optimizer._count": [
        ("steps are not counted", "step[...] = count", "pass",
         f"{_STEPS}::test_steps_are_counted_for_each_parameter"),
    ],
    "tinygrad_hw.optim.optimizer:Optimizer.update_group": [
        ("maximize is ignored", '-gradient if group.get("maximize") else gradient', "gradient",
         f"{_OPTIM}::test_maximize_climbs"),
    ],
    "tinygrad_hw.optim.optimizer:Optimizer._step_group": [
        ("a step is no change in place", "parameter._bump(where)", "pass",
         f"{_OPTIM}::test_step_is_an_inplace_change"),
        ("new state is not kept", "self.state[parameter] = state", "pass",
         f"{_STEPS}::test_one_launch_for_a_group"),
    ],
    "tinygrad_hw.optim.optimizer:Optimizer.state_dict": [
        ("a checkpoint holds no state", '"state": state', '"state": {}',
         f"{_OPTIM}::test_checkpoint_continues_bit_for_bit"),
    ],
    "tinygrad_hw.optim.optimizer:Optimizer.load_state_dict": [
        ("loaded state belongs to the checkpoint", "_loaded(value, parameter)", "value",
         f"{_OPTIM}::test_loaded_state_is_a_copy_in_the_parameters_dtype"),
    ],
    "tinygrad_hw.nn.utils.clip_grad:clip_grad_norm_": [
        ("gradients are clipped to twice the norm", "max_norm, total)", "2 * max_norm, total)",
         f"{_NN}::test_clip_grad"),
    ],
}

_STATE_MUTANTS = {
    f"{_STATE}._own_state": [
        ("buffers are not saved", "for name, buffer in self._buffers.items():",
         "for name, buffer in ():", f"{_NN}::test_state_dict_shares_memory_and_round_trips"),
        ("all buffers are saved", "name not in self._non_persistent_buffers_set", "True",
         f"{_NN}::test_buffers_that_are_not_persistent"),
    ],
    f"{_STATE}.state_dict": [
        ("layers below are not saved", "in self._own_children():", "in ():",
         f"{_NN}::test_state_dict_shares_memory_and_round_trips"),
    ],
    f"{_STATE}._save_to_state_dict": [
        ("saved parameters keep their history", "value if keep_vars else value.detach()", "value",
         f"{_NN}::test_state_dict_shares_memory_and_round_trips"),
    ],
    f"{_STATE}._load_from_state_dict": [
        ("loading copies nothing", 'np.copyto(value.array, new.array, casting="unsafe")', "pass",
         f"{_NN}::test_state_dict_shares_memory_and_round_trips"),
        ("missing keys are not told", "missing_keys.append(key)", "pass",
         f"{_NN}::test_load_state_dict_reports_everything_at_once"),
    ],
    "tinygrad_hw.nn.normalization:_BatchNorm.forward": [
        ("batch norm uses the batch in evaluation", "use_batch = self.training or",
         "use_batch = True or", f"{_NN}::test_batch_norm_running_statistics"),
    ],
    "tinygrad_hw.nn.module:Module.train": [
        ("train() stops at the first level", "module.train(mode)", "pass",
         f"{_NN}::test_modes_dtypes_and_gradients"),
    ],
}

REWRITES = [
    Rewrite(kind, what, target, old, new, test)
    for kind, targets in (("engine", _ENGINE_MUTANTS), ("in place", _INPLACE_MUTANTS),
                          ("optimizer", _OPTIMIZER_MUTANTS), ("state", _STATE_MUTANTS))
    for target, rows in targets.items()
    for what, old, new, test in rows
]
"""All mutants of source lines, by target: what the bug is, the fragment, what it becomes, and the test."""
