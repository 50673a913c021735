"""How numba compiles kernels: the functions that they consist of are optimised once, as part of them.

numba takes every jitted function for a program of its own.  It optimises it, writes machine code and
wrappers for Python and for C, and stores them in a file; then it copies the function into each caller,
which is optimised again with all it contains, and so on up to the kernel.  `PartCompiler` only
translates; optimisation and machine code come once, for the whole kernel.  Together with leaving out
steps of numba's compiler that kernels do not need it halves the time that the kernels of a network take.

This follows numba's documentation ("Customizing the compiler"), apart from the three methods of
`_Untouched` and from `_distinct_names`.  Where another version of numba does not call the former,
compilation takes longer, no more; ``tests/test_reliability.py`` tells if it does not heed the latter.
"""

from __future__ import annotations

import ctypes
import itertools
import os

from numba import _dynfunc
from numba.core.bytecode import FunctionIdentity
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

__all__ = ["KernelCompiler", "PartCompiler"]

# Closures, generators, objects, array expressions and messages: no kernel has any.
_NEEDLESS = {
    "with_lifting", "inline_closure_likes", "rewrite_semantic_constants", "rewrite_dynamic_raises",
    "make_function_op_code_to_jit_function", "inline_inlinables", "inline_overloads", "find_literally",
    "LiteralPropagation", "nopython_rewrites", "annotate_types",
}  # fmt: skip
_REFUSE = ctypes.cast(ctypes.pythonapi.PyErr_BadArgument, ctypes.c_void_p).value


class KernelCompiler(CompilerBase):
    """numba's compiler without the steps that no kernel needs."""

    def define_pipelines(self):
        """The list of the one way to compile a function (called by numba)."""
        self.state.library = _Kernel(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.library.enable_object_caching()
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [step for step in manager.passes if step[0].name() not in _NEEDLESS]
        manager.finalize()
        return [manager]


class PartCompiler(KernelCompiler):
    """The compiler of functions that only kernels and other parts call."""

    def define_pipelines(self):
        """The list of the one way to translate a function (called by numba)."""
        (manager,) = super().define_pipelines()
        manager.add_pass_after(_Translation, NativeLowering)
        manager.passes = [step for step in manager.passes if step[0] is not NativeLowering]
        manager.finalize()
        return [manager]


class _Kernel(JITCodeLibrary):
    """LLVM code that is optimised once, with all its parts.

    numba does so twice, since it removes pairs of reference counts in between; kernels count none.
    """

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self):
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


class _Untouched(_Kernel):
    """LLVM code that waits for its callers: neither optimised nor turned into machine code."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _Translation(NativeLowering):
    """The last step of numba's compiler, without machine code."""

    _name = "translation_of_a_part"

    def run_pass(self, state):
        """Translate a function to LLVM's language and let its callers find it (called by numba)."""
        state.library = _Untouched(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        # Callers know the code by the function that Python would call; this one raises a TypeError.
        name, module = state.func_id.func_name, state.func_id.module
        refuse = _dynfunc.make_function(module, name, "", _REFUSE, state.cr.env, (state.library,))
        state.targetctx.insert_user_function(refuse, state.cr.fndesc, [state.library])
        state["cr"] = state.cr._replace(cfunc=refuse)
        return True


def _distinct_names() -> None:
    """Let no two processes give the same name to different machine code.

    numba tells functions of one name apart, as `ops.kernels.micro` makes them for tiles of several sizes,
    by a number that counts from 1 in each process.  A third process that loads kernels of both from the
    cache would find one name twice, and LLVM binds all calls to whichever came first: a tile of another
    size, and wrong results.  So each process, forked ones too, counts from a number of its own.
    """
    FunctionIdentity._unique_ids = itertools.count(int.from_bytes(os.urandom(6), "big"))


_distinct_names()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_distinct_names)
