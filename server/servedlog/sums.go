package servedlog

import (
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

const sumSize = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf returns the record of a part.
func sumOf(part []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(part)))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(part, castagnoli))
}

// maxSums bounds the file of sums: one for each second of an hour is 43 kB.
const maxSums = 16 << 20

// intact returns how many bytes at the beginning of a stream are as they were written.
func intact(stream *os.File) (size int64, err error) {
	sums, err := regular.Read(stream.Name()+sumsSuffix, maxSums)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	info, err := stream.Stat()
	if err != nil {
		return 0, err
	}
	for ; len(sums) >= sumSize; sums = sums[sumSize:] {
		part, sum := binary.LittleEndian.Uint64(sums), crc32.New(castagnoli)
		if part > uint64(info.Size()-size) {
			break
		}
		if _, err := io.Copy(sum, io.NewSectionReader(stream, size, int64(part))); err != nil {
			return 0, err
		}
		if sum.Sum32() != binary.LittleEndian.Uint32(sums[8:]) {
			break
		}
		size += int64(part)
	}
	return size, nil
}
