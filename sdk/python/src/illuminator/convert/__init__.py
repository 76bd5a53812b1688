"""From a PyTorch checkpoint to the folder that ``illuminator serve`` loads.

Needs torch and safetensors: ``pip install 'illuminator-sdk[convert]'``.
"""

from illuminator.convert.conversion import Conversion, convert
from illuminator.convert.errors import ConvertError

__all__ = ["Conversion", "ConvertError", "convert"]
