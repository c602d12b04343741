package flight

import (
	"errors"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
)

// errLong is the error for texts of a batch that are longer than offsets can say. Only a row that is a long list has them.
var errLong = fstore.Errorf(fstore.ErrTooLarge, "a row has more than 2 GB of text, which a record batch cannot have").
	WithHint("read the training set as a file")

// assemble returns a column of what its leaves have taken. It may share their memory, until they take more.
func (n *node) assemble(leaves []leaf) (arrow.ArrayData, error) {
	l := &leaves[n.leaf]
	places := n.places(l)
	valid, nulls := n.validity(l, places)
	var buffers []*memory.Buffer
	var children []arrow.ArrayData
	switch n.field.Type.(type) {
	case *arrow.ListType, *arrow.MapType:
		buffers = []*memory.Buffer{valid, n.offsets(l, places)}
	case *arrow.StructType:
		buffers = []*memory.Buffer{valid}
	default:
		values, err := l.values(n, valid, nulls, places)
		if err != nil {
			return nil, err
		}
		buffers = append([]*memory.Buffer{valid}, values...)
	}
	for i := range n.children {
		child, err := n.children[i].assemble(leaves)
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	return array.NewData(n.field.Type, places, buffers, children, nulls, 0), nil
}

// isPlace reports whether there is a place for the node at a level of its leaf.
func (n *node) isPlace(l *leaf, i int) bool {
	return (l.maxLists == 0 || l.lists[i] <= n.lists) && (l.maxDef == 0 || l.defs[i] >= n.place)
}

// places returns how many values and nulls of the node were taken.
func (n *node) places(l *leaf) (places int) {
	switch {
	case l.maxDef == 0:
		return l.count
	case l.maxLists == 0:
		return len(l.defs)
	}
	for i := range l.defs {
		if n.isPlace(l, i) {
			places++
		}
	}
	return places
}

// validity returns a bit for each place, which says that it has a value; nil if all have one.
func (n *node) validity(l *leaf, places int) (bits *memory.Buffer, nulls int) {
	if n.present == n.place || l.maxLists == 0 && n.present == l.maxDef && l.count == places {
		return nil, 0
	}
	valid, at := make([]byte, bitutil.BytesForBits(int64(places))), 0
	for i, def := range l.defs {
		if !n.isPlace(l, i) {
			continue
		}
		if def >= n.present {
			bitutil.SetBit(valid, at)
		} else {
			nulls++
		}
		at++
	}
	if nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(valid), nulls
}

// offsets returns where each list of the node begins, among the elements of all, and where the last one ends.
func (n *node) offsets(l *leaf, places int) *memory.Buffer {
	offsets := make([]int32, 0, places+1)
	elements := int32(0)
	for i, def := range l.defs {
		if n.isPlace(l, i) {
			offsets = append(offsets, elements)
		}
		if l.lists[i] <= n.lists+1 && def > n.present {
			elements++
		}
	}
	return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(append(offsets, elements)))
}

// values returns the buffers of the values of a leaf, with room for its nulls.
func (l *leaf) values(n *node, valid *memory.Buffer, nulls, places int) ([]*memory.Buffer, error) {
	if l.count+nulls != places {
		return nil, errors.New("a page does not have the values that its levels say")
	}
	isValid := func(i int) bool { return nulls == 0 || bitutil.BitIsSet(valid.Bytes(), i) }
	if l.kind == parquet.ByteArray {
		return l.texts(isValid, places)
	}
	if l.kind == parquet.Boolean {
		bits, at := make([]byte, bitutil.BytesForBits(int64(places))), 0
		for i := range places {
			if isValid(i) {
				bitutil.SetBitTo(bits, i, l.data[at] != 0)
				at++
			}
		}
		return []*memory.Buffer{memory.NewBufferBytes(bits)}, nil
	}
	data, width := l.widened(n.field.Type)
	if nulls > 0 {
		data = spread(data, width, places, isValid)
	}
	return []*memory.Buffer{memory.NewBufferBytes(data)}, nil
}

// texts returns where each text begins, and the texts.
func (l *leaf) texts(isValid func(int) bool, places int) ([]*memory.Buffer, error) {
	if len(l.data) > math.MaxInt32 {
		return nil, errLong
	}
	offsets, at := make([]int32, places+1), 0
	for i := range places {
		offsets[i+1] = offsets[i]
		if isValid(i) {
			offsets[i+1] = int32(l.ends[at])
			at++
		}
	}
	return []*memory.Buffer{memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(l.data)}, nil
}

// widened returns the values in the width that a type has in record batches. Parquet has small integers as 32 bits, and
// decimals as integers or as bytes with the highest first.
func (l *leaf) widened(t arrow.DataType) (data []byte, width int) {
	width = t.(arrow.FixedWidthDataType).Bytes()
	_, isDecimal := t.(*arrow.Decimal128Type)
	if !isDecimal && width == l.width {
		return l.data, width
	}
	data = make([]byte, l.count*width)
	for i := range l.count {
		from, to := l.data[i*l.width:][:l.width], data[i*width:][:width]
		n := copy(to, from)
		if isDecimal {
			if l.kind == parquet.FixedLenByteArray {
				slices.Reverse(to[:n])
			}
			sign := byte(int8(to[n-1]) >> 7)
			for j := n; j < width; j++ {
				to[j] = sign
			}
		}
	}
	return data, width
}

// spread returns values with room for nulls between them.
func spread(data []byte, width, places int, isValid func(int) bool) []byte {
	out := make([]byte, places*width)
	for i := range places {
		if isValid(i) {
			copy(out[i*width:], data[:width])
			data = data[width:]
		}
	}
	return out
}
