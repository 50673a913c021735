"""Classification of colour pictures: convolutional networks, transfer, and a rare class.

From simple to complex: `images` (pictures in memory, changed on their way to a network), `report`,
`watch` (what is seen while a network learns); `coco_nets` and `coco` (five kinds of objects); `dog_net`
and `dogs` (breeds, training that can go on); `binary` and `imbalance` (a rare class); `resnet`, `weights`
and `transfer`; `fashion` (clothes, with a test set that is used once).
"""

from nets.classification import coco, dogs, fashion, imbalance, transfer

__all__ = ["SYSTEMS"]

SYSTEMS = {**coco.SYSTEMS, **dogs.SYSTEMS, **transfer.SYSTEMS, **imbalance.SYSTEMS,
           **fashion.SYSTEMS}
