from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
STATUS_NOT_FOUND: Status
STATUS_NULL_VALUE: Status
STATUS_OUTSIDE_MAX_AGE: Status
STATUS_PRESENT: Status

class Builds(_message.Message):
    __slots__ = ["unicode", "zones"]
    UNICODE_FIELD_NUMBER: _ClassVar[int]
    ZONES_FIELD_NUMBER: _ClassVar[int]
    unicode: str
    zones: str
    def __init__(self, zones: _Optional[str] = ..., unicode: _Optional[str] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ["bool_values", "bytes_values", "float32_values", "float64_values", "int32_values", "int64_values", "name", "offsets", "string_values", "timestamp_values", "type", "validity"]
    BOOL_VALUES_FIELD_NUMBER: _ClassVar[int]
    BYTES_VALUES_FIELD_NUMBER: _ClassVar[int]
    FLOAT32_VALUES_FIELD_NUMBER: _ClassVar[int]
    FLOAT64_VALUES_FIELD_NUMBER: _ClassVar[int]
    INT32_VALUES_FIELD_NUMBER: _ClassVar[int]
    INT64_VALUES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUES_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_VALUES_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    bool_values: _containers.RepeatedScalarFieldContainer[bool]
    bytes_values: _containers.RepeatedScalarFieldContainer[bytes]
    float32_values: _containers.RepeatedScalarFieldContainer[float]
    float64_values: _containers.RepeatedScalarFieldContainer[float]
    int32_values: _containers.RepeatedScalarFieldContainer[int]
    int64_values: _containers.RepeatedScalarFieldContainer[int]
    name: str
    offsets: _containers.RepeatedScalarFieldContainer[int]
    string_values: _containers.RepeatedScalarFieldContainer[str]
    timestamp_values: _containers.RepeatedScalarFieldContainer[int]
    type: str
    validity: bytes
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., bool_values: _Optional[_Iterable[bool]] = ..., int32_values: _Optional[_Iterable[int]] = ..., int64_values: _Optional[_Iterable[int]] = ..., float32_values: _Optional[_Iterable[float]] = ..., float64_values: _Optional[_Iterable[float]] = ..., string_values: _Optional[_Iterable[str]] = ..., bytes_values: _Optional[_Iterable[bytes]] = ..., timestamp_values: _Optional[_Iterable[int]] = ..., offsets: _Optional[_Iterable[int]] = ..., validity: _Optional[bytes] = ...) -> None: ...

class DescribeFeaturesRequest(_message.Message):
    __slots__ = ["features", "model", "service"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    features: FeatureRefs
    model: ModelRef
    service: str
    def __init__(self, service: _Optional[str] = ..., features: _Optional[_Union[FeatureRefs, _Mapping]] = ..., model: _Optional[_Union[ModelRef, _Mapping]] = ...) -> None: ...

class DescribeFeaturesResponse(_message.Message):
    __slots__ = ["features", "key_columns", "model", "request_columns", "service"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    KEY_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    features: _containers.RepeatedCompositeFieldContainer[FeatureDescription]
    key_columns: _containers.RepeatedCompositeFieldContainer[KeyColumn]
    model: ModelAnswer
    request_columns: _containers.RepeatedCompositeFieldContainer[RequestColumn]
    service: ServiceAnswer
    def __init__(self, key_columns: _Optional[_Iterable[_Union[KeyColumn, _Mapping]]] = ..., features: _Optional[_Iterable[_Union[FeatureDescription, _Mapping]]] = ..., service: _Optional[_Union[ServiceAnswer, _Mapping]] = ..., model: _Optional[_Union[ModelAnswer, _Mapping]] = ..., request_columns: _Optional[_Iterable[_Union[RequestColumn, _Mapping]]] = ...) -> None: ...

class Feature(_message.Message):
    __slots__ = ["bool_values", "bytes_values", "event_timestamps", "event_validity", "float32_values", "float64_values", "int32_values", "int64_values", "name", "offsets", "statuses", "string_values", "timestamp_values", "type", "validity"]
    BOOL_VALUES_FIELD_NUMBER: _ClassVar[int]
    BYTES_VALUES_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    EVENT_VALIDITY_FIELD_NUMBER: _ClassVar[int]
    FLOAT32_VALUES_FIELD_NUMBER: _ClassVar[int]
    FLOAT64_VALUES_FIELD_NUMBER: _ClassVar[int]
    INT32_VALUES_FIELD_NUMBER: _ClassVar[int]
    INT64_VALUES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSETS_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUES_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_VALUES_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALIDITY_FIELD_NUMBER: _ClassVar[int]
    bool_values: _containers.RepeatedScalarFieldContainer[bool]
    bytes_values: _containers.RepeatedScalarFieldContainer[bytes]
    event_timestamps: _containers.RepeatedScalarFieldContainer[int]
    event_validity: bytes
    float32_values: _containers.RepeatedScalarFieldContainer[float]
    float64_values: _containers.RepeatedScalarFieldContainer[float]
    int32_values: _containers.RepeatedScalarFieldContainer[int]
    int64_values: _containers.RepeatedScalarFieldContainer[int]
    name: str
    offsets: _containers.RepeatedScalarFieldContainer[int]
    statuses: bytes
    string_values: _containers.RepeatedScalarFieldContainer[str]
    timestamp_values: _containers.RepeatedScalarFieldContainer[int]
    type: str
    validity: bytes
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., bool_values: _Optional[_Iterable[bool]] = ..., int32_values: _Optional[_Iterable[int]] = ..., int64_values: _Optional[_Iterable[int]] = ..., float32_values: _Optional[_Iterable[float]] = ..., float64_values: _Optional[_Iterable[float]] = ..., string_values: _Optional[_Iterable[str]] = ..., bytes_values: _Optional[_Iterable[bytes]] = ..., timestamp_values: _Optional[_Iterable[int]] = ..., offsets: _Optional[_Iterable[int]] = ..., validity: _Optional[bytes] = ..., statuses: _Optional[bytes] = ..., event_timestamps: _Optional[_Iterable[int]] = ..., event_validity: _Optional[bytes] = ...) -> None: ...

class FeatureDescription(_message.Message):
    __slots__ = ["description", "feature", "name", "type", "view", "view_version"]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    VIEW_VERSION_FIELD_NUMBER: _ClassVar[int]
    description: str
    feature: str
    name: str
    type: str
    view: str
    view_version: int
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., view: _Optional[str] = ..., view_version: _Optional[int] = ..., feature: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...

class FeatureRefs(_message.Message):
    __slots__ = ["refs"]
    REFS_FIELD_NUMBER: _ClassVar[int]
    refs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, refs: _Optional[_Iterable[str]] = ...) -> None: ...

class GetOnlineFeaturesRequest(_message.Message):
    __slots__ = ["entities", "event_timestamps", "features", "model", "service"]
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIMESTAMPS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    entities: _containers.RepeatedCompositeFieldContainer[Column]
    event_timestamps: bool
    features: FeatureRefs
    model: ModelRef
    service: str
    def __init__(self, service: _Optional[str] = ..., features: _Optional[_Union[FeatureRefs, _Mapping]] = ..., model: _Optional[_Union[ModelRef, _Mapping]] = ..., entities: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., event_timestamps: bool = ...) -> None: ...

class GetOnlineFeaturesResponse(_message.Message):
    __slots__ = ["builds", "clock_micros", "features", "model", "on_demand", "replayed_micros", "rows", "service", "views"]
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_MICROS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ON_DEMAND_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_MICROS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VIEWS_FIELD_NUMBER: _ClassVar[int]
    builds: Builds
    clock_micros: int
    features: _containers.RepeatedCompositeFieldContainer[Feature]
    model: ModelAnswer
    on_demand: _containers.RepeatedCompositeFieldContainer[OnDemandAnswer]
    replayed_micros: int
    rows: int
    service: ServiceAnswer
    views: _containers.RepeatedCompositeFieldContainer[ViewAnswer]
    def __init__(self, rows: _Optional[int] = ..., features: _Optional[_Iterable[_Union[Feature, _Mapping]]] = ..., views: _Optional[_Iterable[_Union[ViewAnswer, _Mapping]]] = ..., service: _Optional[_Union[ServiceAnswer, _Mapping]] = ..., model: _Optional[_Union[ModelAnswer, _Mapping]] = ..., replayed_micros: _Optional[int] = ..., clock_micros: _Optional[int] = ..., builds: _Optional[_Union[Builds, _Mapping]] = ..., on_demand: _Optional[_Iterable[_Union[OnDemandAnswer, _Mapping]]] = ...) -> None: ...

class KeyColumn(_message.Message):
    __slots__ = ["name", "type"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class ModelAnswer(_message.Message):
    __slots__ = ["name", "version"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class ModelRef(_message.Message):
    __slots__ = ["name", "version"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ...) -> None: ...

class OnDemandAnswer(_message.Message):
    __slots__ = ["name", "version"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class RequestColumn(_message.Message):
    __slots__ = ["default", "description", "name", "type"]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    default: Column
    description: str
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., default: _Optional[_Union[Column, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class ServiceAnswer(_message.Message):
    __slots__ = ["name", "version"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ViewAnswer(_message.Message):
    __slots__ = ["generation", "name", "published_micros", "stale", "version"]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_MICROS_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    generation: str
    name: str
    published_micros: int
    stale: bool
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., generation: _Optional[str] = ..., published_micros: _Optional[int] = ..., stale: bool = ...) -> None: ...

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
