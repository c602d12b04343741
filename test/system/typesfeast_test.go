package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fstore-dev/fstore"
	feastpb "github.com/fstore-dev/fstore/proto/feast"
)

// feastAnswers asks for a feature by each key in Feast's words, over gRPC and HTTP, and compares what comes. Feast's instants are
// whole seconds: a key or a value that is another instant is refused.
func (w *typeWorld) feastAnswers(s *served, view, feature string, keys *fstore.Column) {
	w.t.Helper()
	for row, want := range w.want[feature] {
		key := fstore.NewColumn(keys.Name, keys.Type, 1)
		key.AppendFrom(keys, row)
		exact := !hasFraction(w.types[feature], want) && !hasFraction(key.Type, string(key.AppendJSON(nil, 0)))
		for door, ask := range map[string]func(*served, string, *fstore.Column, *fstore.Column) bool{"gRPC": w.feastOverGRPC, "HTTP": w.feastOverHTTP} {
			got := fstore.NewColumn(feature, w.types[feature], 1)
			answered := ask(s, view+":"+feature, &key, &got)
			if answered != exact {
				w.t.Errorf("Feast over %s: %s, row %d: answered %v, want %v", door, feature, row, answered, exact)
			} else if answered && string(got.AppendJSON(nil, 0)) != want {
				w.t.Errorf("Feast over %s: %s, row %d: got %s, want %s", door, feature, row, got.AppendJSON(nil, 0), want)
			}
		}
	}
}

// hasFraction reports whether a value in JSON has an instant with a fraction of a second.
func hasFraction(typ fstore.Type, value string) bool {
	return typ.Elem() == fstore.Timestamp && strings.Contains(value, ".")
}

// feastNames are the names of Feast's types that are not fstore's.
var feastNames = map[fstore.Type]string{fstore.Float32: "float", fstore.Float64: "double", fstore.Timestamp: "unix_timestamp"}

// feastField returns the field of Feast's Value that holds values of a type.
func feastField(typ fstore.Type) protoreflect.Name {
	name, ok := feastNames[typ.Elem()]
	if !ok {
		name = typ.Elem().String()
	}
	if typ.IsList() {
		name += "_list"
	}
	return protoreflect.Name(name + "_val")
}

// feastOverGRPC appends the value of a feature for a key. It returns false if the server refuses to write it, or Feast cannot ask
// for the key.
func (w *typeWorld) feastOverGRPC(s *served, ref string, key, into *fstore.Column) bool {
	w.t.Helper()
	value := &feastpb.Value{}
	boxed := key.Value(0)
	if at, ok := boxed.(time.Time); ok {
		if at.Nanosecond() != 0 {
			return false // Feast has no such key
		}
		boxed = at.Unix()
	}
	m := value.ProtoReflect()
	m.Set(m.Descriptor().Fields().ByName(feastField(key.Type)), protoreflect.ValueOf(boxed))
	answer, err := feastpb.NewServingServiceClient(s.conn).GetOnlineFeatures(w.t.Context(), &feastpb.GetOnlineFeaturesRequest{
		Kind:     &feastpb.GetOnlineFeaturesRequest_Features{Features: &feastpb.FeatureList{Val: []string{ref}}},
		Entities: map[string]*feastpb.RepeatedValue{key.Name: {Val: []*feastpb.Value{value}}},
	})
	if status.Code(err) == codes.FailedPrecondition && strings.Contains(err.Error(), "whole seconds") {
		return false
	}
	if err != nil {
		w.t.Fatalf("Feast over gRPC: %s: %v", ref, err)
	}
	w.appendFeast(answer.GetResults()[1].GetValues()[0].ProtoReflect(), into)
	return true
}

// appendFeast appends a Value. Its field must be that of the column's type.
func (w *typeWorld) appendFeast(m protoreflect.Message, into *fstore.Column) {
	w.t.Helper()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("val"))
	switch {
	case field == nil || field.Name() == "null_val":
		into.AppendNull()
	case field.Name() != feastField(into.Type):
		w.t.Errorf("Feast over gRPC: %s comes as %s, want %s", into.Name, field.Name(), feastField(into.Type))
		into.AppendNull()
	case !into.Type.IsList():
		into.Append(fromFeast(into.Type, m.Get(field)))
	default:
		list := m.Get(field).Message()
		values := list.Get(list.Descriptor().Fields().ByName("val")).List()
		elements := fstore.NewColumn("", into.Type.Elem(), values.Len())
		for i := range values.Len() {
			elements.Append(fromFeast(elements.Type, values.Get(i)))
		}
		into.AppendList(&elements)
	}
}

// fromFeast returns an element as a column holds it: an instant is a number of seconds in Feast.
func fromFeast(typ fstore.Type, v protoreflect.Value) any {
	if typ == fstore.Timestamp {
		return time.Unix(v.Int(), 0)
	}
	return v.Interface()
}

// feastOverHTTP appends the value of a feature for a key. It returns false if the server refuses to write it.
func (w *typeWorld) feastOverHTTP(s *served, ref string, key, into *fstore.Column) bool {
	w.t.Helper()
	code, text := send(w.t, s, "POST", "/get-online-features", fmt.Sprintf(`{"features":[%q],"entities":{%q:%s}}`, ref, key.Name, key.AppendValuesJSON(nil)))
	if code == http.StatusConflict && strings.Contains(text, "whole seconds") {
		return false
	}
	var answer struct {
		Results []struct{ Values []json.RawMessage }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || code != http.StatusOK || len(answer.Results) != 2 || len(answer.Results[1].Values) != 1 {
		w.t.Fatalf("Feast over HTTP: %s: status %d, %v\n%s", ref, code, err, text)
	}
	value := answer.Results[1].Values[0]
	var seconds []int64
	switch {
	case string(value) == "null":
		into.AppendNull()
		return true
	case into.Type == fstore.Timestamp:
		value = fmt.Appendf(nil, "[%s]", value)
		fallthrough
	case into.Type.Elem() == fstore.Timestamp:
		if err := json.Unmarshal(value, &seconds); err != nil {
			w.t.Fatalf("Feast over HTTP: %s: %v\n%s", ref, err, text)
		}
	default:
		if err := into.AppendParsed(value); err != nil {
			w.t.Fatalf("Feast over HTTP: %s: %v\n%s", ref, err, text)
		}
		return true
	}
	instants := []time.Time{}
	for _, n := range seconds {
		instants = append(instants, time.Unix(n, 0))
	}
	if into.Type.IsList() {
		into.Append(instants)
	} else {
		into.Append(instants[0])
	}
	return true
}
