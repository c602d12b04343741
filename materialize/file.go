package materialize

import (
	"bufio"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

// castagnoli is the polynomial for which processors have an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileInfo is what a run stores about one of its files, to recognize it later.
type fileInfo struct {
	Name string `json:"name"` // in the view's state folder
	Size int64  `json:"size"`
	CRC  uint32 `json:"crc"` // CRC-32C of the whole file
}

// outFile is a file that appears under its name atomically: complete and durable, or not at all.
type outFile struct {
	dir, name string
	f         *os.File
	buf       *bufio.Writer
	size      int64
	crc       uint32
}

const tmpSuffix = ".tmp"

func createFile(dir, name string) (*outFile, error) {
	f, err := os.Create(filepath.Join(dir, name+tmpSuffix))
	if err != nil {
		return nil, err
	}
	o := &outFile{dir: dir, name: name, f: f}
	o.buf = bufio.NewWriterSize(f, 256<<10)
	return o, nil
}

// Write appends to the file and updates its size and checksum.
func (o *outFile) Write(b []byte) (int, error) {
	n, err := o.buf.Write(b)
	o.size += int64(n)
	o.crc = crc32.Update(o.crc, castagnoli, b[:n])
	return n, err
}

// commit makes the file durable under its name, or removes it. The folder is not yet synced: see regular.Sync.
func (o *outFile) commit() (fileInfo, error) {
	err := o.buf.Flush()
	if err == nil {
		err = o.f.Sync()
	}
	err = errors.Join(err, o.f.Close())
	o.f = nil
	tmp := filepath.Join(o.dir, o.name+tmpSuffix)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(o.dir, o.name))
	}
	if err != nil {
		_ = os.Remove(tmp) // a full disk needs the space
	}
	return fileInfo{o.name, o.size, o.crc}, err
}

// abort removes the file unless it was committed.
func (o *outFile) abort() {
	if o == nil || o.f == nil {
		return
	}
	_ = o.f.Close()
	o.f = nil
	_ = os.Remove(filepath.Join(o.dir, o.name+tmpSuffix))
}

// checkFile checks that a file is the one described. It returns ErrCorrupt if the file has changed or is missing.
func checkFile(dir string, want fileInfo) error {
	f, err := regular.Open(filepath.Join(dir, want.Name), regular.AnySize)
	if errors.Is(err, fs.ErrNotExist) {
		return fstore.Errorf(fstore.ErrCorrupt, "%s is missing", want.Name)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{f}, make([]byte, 256<<10))
	if err != nil {
		return err
	}
	if n != want.Size || sum.Sum32() != want.CRC {
		return fstore.Errorf(fstore.ErrCorrupt, "%s is damaged", want.Name)
	}
	return nil
}
