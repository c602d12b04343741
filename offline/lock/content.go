package lock

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// ContentDigest returns the digest of a training set from those of its columns.
func ContentDigest(rows int64, columns []Column) string {
	h := sha256.New()
	fmt.Fprintf(h, "fstore content 1\n%d\n", rows)
	for _, c := range columns {
		line, _ := json.Marshal([]string{c.Name, c.Type, c.Content}) // texts always encode
		h.Write(append(line, '\n'))
	}
	return hex.EncodeToString(h.Sum(nil))
}
