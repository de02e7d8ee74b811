"""Typed key/value data of images, as MITK's properties.

An *owner* (an image, a :class:`PropertyList`) maps names to property objects. Names are dotted paths such as
``DICOM.0010.0010`` or ``annotations.[2].text``; :class:`PropertyKeyPath` and :class:`DICOMTagPath` build
and take them apart. Reading converts to Python values, writing wraps them; ``raw=True`` gives the property
object itself."""

from mitk_rs.properties.owner import PropertyList, PropertyOwner
from mitk_rs.properties.paths import DICOMTag, DICOMTagPath, PropertyKeyPath, find_indexed_properties
from mitk_rs.properties.values import (
    BaseProperty,
    BoolProperty,
    ColorProperty,
    DoubleProperty,
    FloatProperty,
    IntProperty,
    StringProperty,
    TemporoSpatialStringProperty,
    property_from_dict,
)

__all__ = [
    "BaseProperty",
    "BoolProperty",
    "ColorProperty",
    "DICOMTag",
    "DICOMTagPath",
    "DoubleProperty",
    "FloatProperty",
    "IntProperty",
    "PropertyKeyPath",
    "PropertyList",
    "PropertyOwner",
    "StringProperty",
    "TemporoSpatialStringProperty",
    "find_indexed_properties",
    "property_from_dict",
]
