package flight

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowflight "github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/alloctest"
)

// messages collects what a writer of Flight sends.
type messages struct{ all []*arrowflight.FlightData }

func (m *messages) Send(d *arrowflight.FlightData) error {
	m.all = append(m.all, &arrowflight.FlightData{DataHeader: bytes.Clone(d.DataHeader), DataBody: bytes.Clone(d.DataBody)})
	return nil
}

// Recv implements flight.DataStreamReader for uploaded: it gives what was collected.
func (m *messages) Recv() (*arrowflight.FlightData, error) {
	if len(m.all) == 0 {
		return nil, io.EOF
	}
	next := m.all[0]
	m.all = m.all[1:]
	return next, nil
}

// of returns the messages of a batch with columns of every kind.
func of(t testing.TB) *messages {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "flag", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, row := range []string{
		`{"id": 1, "text": "a", "flag": true, "list": [1, 2]}`, `{"id": null, "text": "bc", "flag": false, "list": []}`,
		`{"id": 3, "text": null, "flag": null, "list": null}`,
	} {
		if err := b.UnmarshalJSON([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	return sent(t, b.NewRecordBatch())
}

// sent returns the messages of a batch.
func sent(t testing.TB, batch arrow.RecordBatch) *messages {
	t.Helper()
	out := &messages{}
	w := arrowflight.NewRecordWriter(out, ipc.WithSchema(batch.Schema()))
	if err := w.Write(batch); err != nil {
		t.Fatal(err)
	}
	return out
}

func decode(m *messages) (int64, error) {
	in := &uploaded{stream: m}
	return in.write(io.Discard)
}

// Every header with one wrong byte, or cut short, is refused or decoded: it neither panics nor takes much memory.
func TestHostileHeaders(t *testing.T) {
	if n, err := decode(of(t)); n != 3 || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	for which := range of(t).all {
		size := len(of(t).all[which].DataHeader)
		for at := range size {
			for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
				m := of(t)
				m.all[which].DataHeader[at] = b
				_, _ = decode(m) // what it returns is its own affair
			}
			m := of(t)
			m.all[which].DataHeader = m.all[which].DataHeader[:at]
			_, _ = decode(m)
		}
		for at := 0; at+4 <= size; at += 4 {
			for _, n := range []uint32{1 << 31, 1<<32 - 1, uint32(-at), uint32(size)} { // lengths, and offsets backwards
				m := of(t)
				binary.LittleEndian.PutUint32(m.all[which].DataHeader[at:], n)
				_, _ = decode(m)
			}
		}
	}
}

// Bodies that are shorter than their headers say, and offsets beyond them, are refused.
func TestHostileBodies(t *testing.T) {
	size := len(of(t).all[1].DataBody)
	for at := range size {
		m := of(t)
		m.all[1].DataBody = m.all[1].DataBody[:at]
		if _, err := decode(m); at < size-64 && err == nil {
			t.Errorf("a body of %d of %d bytes is accepted", at, size)
		}
		m = of(t)
		m.all[1].DataBody[at] ^= 0x80
		_, _ = decode(m)
	}
}

// A message may say more in few bytes than a server should hold: a list of bits, all in one row.
func TestALongListIsRefused(t *testing.T) {
	const bits = 16 << 20
	elements := array.NewBooleanData(array.NewData(arrow.FixedWidthTypes.Boolean, bits, []*memory.Buffer{nil, memory.NewBufferBytes(make([]byte, bits/8))}, nil, 0, 0))
	offsets := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, bits}))
	list := array.NewListData(array.NewData(arrow.ListOf(arrow.FixedWidthTypes.Boolean), 1, []*memory.Buffer{nil, offsets}, []arrow.ArrayData{elements.Data()}, 0, 0))
	schema := arrow.NewSchema([]arrow.Field{{Name: "bits", Type: list.DataType(), Nullable: true}}, nil)
	m := sent(t, array.NewRecordBatch(schema, []arrow.Array{list}, 1))
	alloctest.AtMost(t, 128<<20, func() {
		if _, err := decode(m); !errors.Is(err, fstore.ErrTooLarge) {
			t.Error(err)
		}
	})
}

func TestHeadersOfArrowAreNamedInErrors(t *testing.T) {
	for what, m := range map[string][]byte{"not a valid Arrow stream": []byte("0123456789abcdef0123456789abcdef"), "": nil} {
		if err := checkMessage(m); what == "" && err != nil || what != "" && (err == nil || !strings.Contains(err.Error(), what)) {
			t.Errorf("%q: %v", m, err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	m := of(f)
	f.Add(m.all[0].DataHeader, m.all[1].DataHeader, m.all[1].DataBody)
	for i, t := range labelTypes() {
		m := sent(f, randomLabels(rand.New(rand.NewPCG(1, uint64(i))), []arrow.DataType{t}, 3))
		f.Add(m.all[0].DataHeader, m.all[1].DataHeader, m.all[1].DataBody)
	}
	f.Fuzz(func(_ *testing.T, schema, batch, body []byte) {
		_, _ = decode(&messages{[]*arrowflight.FlightData{{DataHeader: schema}, {DataHeader: batch, DataBody: body}}})
	})
}

func FuzzTickets(f *testing.F) {
	a := &API{o: Options{Project: "shop"}}
	good, err := ticket{"shop", "churn", strings.Repeat("0", 64), asBytes}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := a.ticketOf(b); err == nil && got.Project != "shop" {
			t.Errorf("%q is of project %q", b, got.Project)
		}
	})
}
