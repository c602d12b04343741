package client

import (
	"time"

	"github.com/fstore-dev/fstore"
)

// Value is a Go type of values: bool, int32, int64, float32, float64, string, bytes or timestamp.
type Value interface {
	bool | int32 | int64 | float32 | float64 | string | []byte | time.Time
}

// Keys returns a key column or a request column without nulls. Except for timestamps, the column shares the values.
func Keys[T Value](name string, values ...T) fstore.Column {
	c := fstore.Column{Name: name, Len: len(values)}
	switch v := any(values).(type) {
	case []bool:
		c.Type, c.Bools = fstore.Bool, v
	case []int32:
		c.Type, c.Int32s = fstore.Int32, v
	case []int64:
		c.Type, c.Int64s = fstore.Int64, v
	case []float32:
		c.Type, c.Float32s = fstore.Float32, v
	case []float64:
		c.Type, c.Float64s = fstore.Float64, v
	case []string:
		c.Type, c.Strings = fstore.String, v
	case [][]byte:
		c.Type, c.Bytes = fstore.Bytes, v
	case []time.Time:
		c.Type = fstore.Timestamp
		for _, at := range v {
			c.Int64s = append(c.Int64s, fstore.Micros(at))
		}
	}
	return c
}

// Values returns the values of a feature, one per row. A null row has the zero value: Feature has the validity and
// statuses. Except for timestamps, the slice is the answer's own. It returns ErrNotFound for an unknown feature and
// ErrInvalid if the feature has another type. For lists see Answer.Feature.
func Values[T Value](a *Answer, feature string) ([]T, error) {
	f := a.Feature(feature)
	if f == nil {
		return nil, fstore.Errorf(fstore.ErrNotFound, "the answer has no feature %q", feature)
	}
	c, want := &f.Column, Keys[T]("").Type
	if c.Type != want {
		return nil, fstore.Errorf(fstore.ErrInvalid, "feature %s is %s, not %s", feature, c.Type, want)
	}
	var values any
	switch want {
	case fstore.Bool:
		values = c.Bools
	case fstore.Int32:
		values = c.Int32s
	case fstore.Int64:
		values = c.Int64s
	case fstore.Float32:
		values = c.Float32s
	case fstore.Float64:
		values = c.Float64s
	case fstore.String:
		values = c.Strings
	case fstore.Bytes:
		values = c.Bytes
	case fstore.Timestamp:
		instants := make([]time.Time, len(c.Int64s))
		for i, us := range c.Int64s {
			instants[i] = fstore.FromMicros(us)
		}
		values = instants
	}
	return values.([]T), nil
}
