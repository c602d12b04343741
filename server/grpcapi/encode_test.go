package grpcapi

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/columntest"
	"github.com/fstore-dev/fstore/online"
	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/servertest"
)

// responseOf returns an answer as a message: what encode writes the bytes of.
func responseOf(list *fstore.FeatureList, a *online.Answer) *fstorev1.GetOnlineFeaturesResponse {
	out := &fstorev1.GetOnlineFeaturesResponse{Rows: uint32(a.Rows)}
	for _, from := range a.Features {
		c := fstorev1.NewColumn(&from.Column)
		out.Features = append(out.Features, &fstorev1.Feature{
			Name: c.Name, Type: c.Type, BoolValues: c.BoolValues, Int32Values: c.Int32Values, Int64Values: c.Int64Values,
			Float32Values: c.Float32Values, Float64Values: c.Float64Values, StringValues: c.StringValues, BytesValues: c.BytesValues,
			TimestampValues: c.TimestampValues, Offsets: c.Offsets, Validity: c.Validity,
			Statuses: statusBytes(from.Statuses), EventTimestamps: from.Events, EventValidity: from.EventsValid,
		})
	}
	for _, v := range a.Versions {
		out.Views = append(out.Views, &fstorev1.ViewAnswer{
			Name: v.Ref.Name, Version: uint32(v.Ref.Version),
			Generation: string(v.Generation), PublishedMicros: fstore.Micros(v.Published),
		})
	}
	if list.Service.Name != "" {
		out.Service = &fstorev1.ServiceAnswer{Name: list.Service.Name, Version: uint32(list.Service.Version)}
	}
	if list.Model.Name != "" {
		out.Model = &fstorev1.ModelAnswer{Name: list.Model.Name, Version: list.Model.Version}
	}
	if !a.Replayed.IsZero() {
		out.ReplayedMicros = proto.Int64(fstore.Micros(a.Replayed))
	}
	if !a.Clock.IsZero() {
		out.ClockMicros = proto.Int64(fstore.Micros(a.Clock))
	}
	return out
}

// TestAnAnswersBytesAreItsMessages holds encode to protobuf's own encoding, byte for byte, over answers of every type.
func TestAnAnswersBytesAreItsMessages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(0, 12).Draw(t, "rows")
		list, a := &fstore.FeatureList{Uses: []fstore.ViewUse{{Version: &fstore.ViewVersion{}}}}, &online.Answer{Rows: rows}
		for i := range rapid.IntRange(0, 80).Draw(t, "features") {
			f := online.AnswerFeature{Column: columntest.Draw(t, rapid.SampledFrom(columntest.Types()).Draw(t, "type"), rows)}
			f.Column.Name = fmt.Sprint("f", i)
			if rapid.Bool().Draw(t, "has statuses") {
				f.Statuses = rapid.SliceOfN(rapid.SampledFrom([]online.Status{online.Present, online.NullValue, online.NotFound, online.OutsideMaxAge}), rows, rows).Draw(t, "statuses")
			}
			if rapid.Bool().Draw(t, "has events") {
				f.Events = rapid.SliceOfN(rapid.Int64(), rows, rows).Draw(t, "events")
				if rapid.Bool().Draw(t, "some without") {
					f.EventsValid = rapid.SliceOfN(rapid.Byte(), (rows+7)/8, (rows+7)/8).Draw(t, "valid")
				}
			}
			a.Features = append(a.Features, f)
			view := &list.Uses[0].Version.View
			view.Features = append(view.Features, fstore.Feature{Name: f.Column.Name, Type: f.Column.Type})
			list.Outputs = append(list.Outputs, fstore.FeatureOutput{As: f.Column.Name, Feature: f.Column.Name})
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "versions") {
			a.Versions = append(a.Versions, online.AnswerVersion{
				Ref: fstore.ViewRef{Name: fmt.Sprint("v", i), Version: rapid.IntRange(0, 300).Draw(t, "version")}, Generation: "00ff",
				Published: fstore.FromMicros(rapid.Int64Range(-1, 1<<50).Draw(t, "published")),
			})
		}
		if rapid.Bool().Draw(t, "a service") {
			list.Service = fstore.ViewRef{Name: "s", Version: rapid.IntRange(0, 200).Draw(t, "of version")}
		}
		if rapid.Bool().Draw(t, "a model") {
			list.Model = fstore.ModelRef{Name: "m", Version: rapid.SampledFrom([]string{"3", "2025-12", ""}).Draw(t, "model version")}
		}
		for _, at := range []*time.Time{&a.Replayed, &a.Clock} {
			if rapid.Bool().Draw(t, "has an instant") {
				*at = fstore.FromMicros(rapid.Int64Range(-1, 1<<50).Draw(t, "instant"))
			}
		}
		answer, err := (&parts{headsOf(list), tailOf(list)}).encode(a)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Buffers.Put(answer.buf)
		message := responseOf(list, a)
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(want, *answer.buf) {
			return
		}
		var got fstorev1.GetOnlineFeaturesResponse
		if err := proto.Unmarshal(*answer.buf, &got); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("%d bytes, want %d (-want +got)\n%s", len(*answer.buf), len(want), cmp.Diff(message, &got, protocmp.Transform()))
	})
}

func TestTextThatNoClientCanReadIsCorrupt(t *testing.T) {
	c := fstore.NewColumn("name", fstore.String, 2)
	c.Append("fine")
	c.Append("\xff\xfe")
	_, err := (&parts{heads: [][]byte{nil}}).encode(&online.Answer{Rows: 2, Features: []online.AnswerFeature{{Column: c}}})
	servertest.WantRefusal(t, err, fstore.ErrCorrupt, "feature name: string 2 is not UTF-8")
}
