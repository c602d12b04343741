package fstorev1_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// frozen are messages with every field of v1, whose bytes are in testdata/NAME.hex. Clients and servers that are out
// there write and read those bytes. So a file is never changed: a field that is added is not in it.
func frozen() map[string]proto.Message {
	return map[string]proto.Message{
		"request": &fstorev1.GetOnlineFeaturesRequest{
			Selection: &fstorev1.GetOnlineFeaturesRequest_Service{Service: "churn"},
			Entities: []*fstorev1.Column{
				{Name: "a", BoolValues: []bool{true, false}},
				{Name: "b", Type: "int32", Int32Values: []int32{-1, math.MaxInt32}},
				{Name: "c", Int64Values: []int64{1<<53 + 1, 0}, Validity: []byte{0b01}},
				{Name: "d", StringValues: []string{"naïve", ""}},
				{Name: "e", BytesValues: [][]byte{{0, 255}, {}}},
				{Name: "f", TimestampValues: []int64{1_770_000_000_000_000, 0}},
			},
			EventTimestamps: true,
		},
		"request-features": &fstorev1.GetOnlineFeaturesRequest{
			Selection: &fstorev1.GetOnlineFeaturesRequest_Features{Features: &fstorev1.FeatureRefs{Refs: []string{"v.f", "v@2.g=h"}}},
			Entities:  []*fstorev1.Column{{Name: "k", Type: "int64"}},
		},
		"request-model": &fstorev1.GetOnlineFeaturesRequest{
			Selection: &fstorev1.GetOnlineFeaturesRequest_Model{Model: &fstorev1.ModelRef{Name: "fraud", Version: "champion"}},
		},
		"answer": &fstorev1.GetOnlineFeaturesResponse{
			Rows: 2,
			Features: []*fstorev1.Feature{
				{Name: "a", Type: "bool", BoolValues: []bool{false, true}},
				{Name: "b", Type: "int32", Int32Values: []int32{-7, 0}, Validity: []byte{0b01}, Statuses: []byte{0, 1}},
				{Name: "c", Type: "int64", Int64Values: []int64{math.MinInt64, 0}, Statuses: []byte{0, 2}},
				{Name: "d", Type: "float32", Float32Values: []float32{0.5, float32(math.Inf(1))}},
				{
					Name: "e", Type: "float64", Float64Values: []float64{1e300, 0}, Validity: []byte{0b01}, Statuses: []byte{0, 3},
					EventTimestamps: []int64{1_770_000_000_000_000, 0}, EventValidity: []byte{0b01},
				},
				{Name: "f", Type: "string", StringValues: []string{"", "b"}},
				{Name: "g", Type: "bytes", BytesValues: [][]byte{{1}, {}}},
				{Name: "h", Type: "timestamp", TimestampValues: []int64{-1, 1}},
				{Name: "i", Type: "list<float32>", Float32Values: []float32{1, 2, 3}, Offsets: []int32{0, 3, 3}},
				{Name: "j", Type: "list<string>", Offsets: []int32{0, 0, 0}, Validity: []byte{0b10}, Statuses: []byte{1, 0}},
			},
			Views:          []*fstorev1.ViewAnswer{{Name: "v", Version: 3, Generation: "5f", PublishedMicros: 1_770_000_000_000_001}},
			Service:        &fstorev1.ServiceAnswer{Name: "churn", Version: 2},
			Model:          &fstorev1.ModelAnswer{Name: "fraud", Version: "3"},
			ReplayedMicros: proto.Int64(1_770_000_000_000_002),
		},
		"describe-request": &fstorev1.DescribeFeaturesRequest{Selection: &fstorev1.DescribeFeaturesRequest_Service{Service: "churn"}},
		"describe-answer": &fstorev1.DescribeFeaturesResponse{
			KeyColumns: []*fstorev1.KeyColumn{{Name: "k", Type: "int64"}},
			Features:   []*fstorev1.FeatureDescription{{Name: "o", Type: "float64", View: "v", ViewVersion: 3, Feature: "f", Description: "What it is"}},
			Service:    &fstorev1.ServiceAnswer{Name: "churn", Version: 2},
			Model:      &fstorev1.ModelAnswer{Name: "fraud", Version: "3"},
		},
	}
}

func TestBytesOfTheWireAreFrozen(t *testing.T) {
	for name, want := range frozen() {
		text, err := os.ReadFile("testdata/" + name + ".hex")
		if err != nil {
			t.Fatal(err)
		}
		golden, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatal(err)
		}
		got := want.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(golden, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s is read as (-want +got):\n%s", name, diff)
		}
		sent, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(sent, golden) {
			t.Errorf("%s is written as\n%x\nwant\n%x", name, sent, golden)
		}
	}
}

// A field, enum value or method of v1 keeps its number, type and name. More may be there.
func TestFieldsOfTheWireAreFrozen(t *testing.T) {
	text, err := os.ReadFile("testdata/frozen.txt")
	if err != nil {
		t.Fatal(err)
	}
	is := map[string]bool{}
	for _, line := range surface(fstorev1.File_fstore_v1_feature_store_proto) {
		is[line] = true
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if !is[line] {
			t.Errorf("v1 had %q", line)
		}
	}
}

// surface returns what a client relies on, a line each.
func surface(file protoreflect.FileDescriptor) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	for i := range file.Messages().Len() {
		m := file.Messages().Get(i)
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			kind := f.Kind().String()
			switch {
			case f.Message() != nil:
				kind = string(f.Message().FullName())
			case f.Enum() != nil:
				kind = string(f.Enum().FullName())
			}
			add("%s.%s = %d %s %s", m.Name(), f.Name(), f.Number(), f.Cardinality(), kind)
		}
	}
	for i := range file.Enums().Len() {
		values := file.Enums().Get(i).Values()
		for j := range values.Len() {
			add("%s = %d", values.Get(j).FullName(), values.Get(j).Number())
		}
	}
	for i := range file.Services().Len() {
		methods := file.Services().Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			add("%s(%s) %s", m.FullName(), m.Input().Name(), m.Output().Name())
		}
	}
	return out
}
