package online

import (
	"fmt"
	"hash/crc32"

	"github.com/fstore-dev/fstore"
)

// Every record, pointer and header ends in a CRC-32C of its key and of the bytes before it. So a value that was
// damaged, truncated, or stored under another key is an error and never an answer. Processors compute the Castagnoli
// polynomial in hardware.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumSize = 4

// generationSum returns the checksum with which those of a generation's records begin.
func generationSum(g generation) uint32 { return crc32.Checksum(g[:], castagnoli) }

// recordSum returns the checksum of a record under a key.
func recordSum(generation uint32, key, record []byte) uint32 {
	return crc32.Update(crc32.Update(generation, castagnoli, key), castagnoli, record)
}

// checkSum returns an error unless a record ends in its checksum under a key of a generation.
func (l *layout) checkSum(generation uint32, key, rec []byte) error {
	n := len(rec) - checksumSize
	if n < 0 {
		return l.corrupt("%d bytes are too few", len(rec))
	}
	if recordSum(generation, key, rec[:n]) != le.Uint32(rec[n:]) {
		return l.corrupt("wrong checksum: the record was damaged, or belongs to another key").
			WithHint("run: fstore materialize --full %s", l.ref)
	}
	return nil
}

// Pointers and headers are JSON. Their checksum is the last field, in hexadecimal: {…,"crc":"89abcdef"}.
const (
	crcField = `,"crc":"`
	crcSize  = len(crcField) + 2*checksumSize + len(`"}`)
)

// sealJSON adds the checksum to a JSON object stored under a key.
func sealJSON(key, object []byte) []byte {
	open := object[:len(object)-1]
	return fmt.Appendf(open, `%s%08x"}`, crcField, recordSum(0, key, open))
}

// unsealJSON checks the checksum and returns the JSON without it. sealed is false if the JSON has no checksum.
func unsealJSON(key, raw []byte) (object []byte, sealed bool, err error) {
	n := len(raw) - crcSize
	if n < 1 || string(raw[n:n+len(crcField)]) != crcField {
		return raw, false, nil
	}
	object = append(append(make([]byte, 0, n+1), raw[:n]...), '}')
	if string(sealJSON(key, object)) != string(raw) {
		return nil, true, fstore.Errorf(fstore.ErrCorrupt, "wrong checksum: the value was damaged, or belongs under another key")
	}
	return object, true, nil
}
