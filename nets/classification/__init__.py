"""Classification of colour pictures: convolutional networks, transfer, and a rare class.

From simple to complex: `images` (pictures in memory, changed on their way to a network), `judge` and
`report`, `watch` (what is seen while a network learns); `coco_nets`, `coco` and `residual` (five kinds
of objects); `dog_net` and `dogs` (breeds, training that can go on); `binary` and `imbalance` (a rare
class); `transfer` (of what `nets.pretrained` knows); `fashion` (clothes, with a test set that is used
once).
"""

from nets.classification import coco, dogs, fashion, imbalance, residual, transfer

__all__ = ["SYSTEMS"]

SYSTEMS = {**coco.SYSTEMS, **residual.SYSTEMS, **dogs.SYSTEMS, **transfer.SYSTEMS, **imbalance.SYSTEMS,
           **fashion.SYSTEMS}
