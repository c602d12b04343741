package servedlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"github.com/fstore-dev/fstore/regular"
)

// Beside a stream lies a file of its sums: the size and the CRC-32C of each part that was written, in the stream's order.
// arrow-go trusts what it decodes: a few wrong bits have it ask for terabytes. So only parts whose sum is right are decoded.
// A sum is written before its part, and cut after it, so that no part is ever without one.

const sumSize = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf returns the record of a part.
func sumOf(part []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(part)))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(part, castagnoli))
}

// maxSums bounds the file of sums: one for each second of an hour is 43 kB.
const maxSums = 16 << 20

// intact returns the parts of a stream that are as they were written, and whether the stream is damaged. A server that is killed
// leaves a last part that is not whole: that part is left out, and the stream is not damaged. Without the first part, which has
// the schema, the others cannot be decoded.
func intact(stream *os.File) (good io.Reader, damaged bool, err error) {
	sums, err := regular.Read(stream.Name()+sumsSuffix, maxSums)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	info, err := stream.Stat()
	if err != nil {
		return nil, false, err
	}
	var parts []io.Reader
	at, torn := int64(0), false
	for ; len(sums) >= sumSize; sums = sums[sumSize:] {
		size, sum := binary.LittleEndian.Uint64(sums), crc32.New(castagnoli)
		if size > uint64(info.Size()-at) {
			torn = true
			break
		}
		if _, err := io.Copy(sum, io.NewSectionReader(stream, at, int64(size))); err != nil {
			return nil, false, err
		}
		if sum.Sum32() == binary.LittleEndian.Uint32(sums[8:]) {
			parts = append(parts, io.NewSectionReader(stream, at, int64(size)))
		} else {
			damaged = true
			if at == 0 {
				return bytes.NewReader(nil), true, nil
			}
		}
		at += int64(size)
	}
	if torn {
		damaged = damaged || len(sums) >= 2*sumSize // more than the last part is missing
	} else {
		damaged = damaged || at < info.Size()
	}
	return io.MultiReader(parts...), damaged, nil
}
