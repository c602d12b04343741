package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/regular"
)

// dvcSuffix follows the name of a file in the name of the file by which DVC tracks it.
const dvcSuffix = ".dvc"

// dvcFile is the content of a .dvc file that tracks one file, as dvc add of DVC 3 writes it.
type dvcFile struct {
	Outs []dvcOut `yaml:"outs"`
}

// dvcOut is a file that DVC tracks. The order of the members is that of DVC.
type dvcOut struct {
	MD5  string `yaml:"md5"`
	Size int64  `yaml:"size"`
	Hash string `yaml:"hash"` // how the digest was made. DVC 2 had another one, and no such member
	Path string `yaml:"path"` // relative to the .dvc file
}

// encodeDVC returns the .dvc file for a file.
func encodeDVC(out dvcOut) ([]byte, error) { return yaml.Marshal(dvcFile{[]dvcOut{out}}) }

// checkDVC returns an error unless DVC can track the file of a training set by a .dvc file that fstore may write: the file is
// in a DVC repository, and nobody else has written there.
func checkDVC(out string) error {
	full, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("%s: %w", out, err)
	}
	for dir := filepath.Dir(full); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, dvcSuffix)); err == nil && info.IsDir() {
			return checkForeignDVC(full+dvcSuffix, out+dvcSuffix)
		}
		if dir == filepath.Dir(dir) {
			return fstore.Errorf(fstore.ErrUsage, "%s is not in a DVC repository: no folder above it has a folder .dvc", out).
				WithHint("run dvc init in the folder of the Git repository; or leave out --dvc")
		}
	}
}

// checkForeignDVC refuses to replace a .dvc file that has more, or something else, than fstore and dvc add write. Messages call
// it shown.
func checkForeignDVC(path, shown string) error {
	text, err := regular.Read(path, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	foreign := fstore.Errorf(fstore.ErrConflict, "%s is there already, and has more than dvc add writes for this file", shown).
		WithHint("leave out --dvc and run dvc commit %s, which keeps what it says; or remove it", shown)
	if err != nil {
		return fmt.Errorf("%s: %w", shown, err)
	}
	var was dvcFile
	if yaml.UnmarshalWithOptions(text, &was, yaml.Strict()) != nil || len(was.Outs) != 1 {
		return foreign
	}
	o := was.Outs[0]
	if again, err := encodeDVC(dvcOut{o.MD5, o.Size, "md5", dvcPath(path)}); err != nil || string(again) != string(text) {
		return foreign
	}
	return nil
}

// dvcPath returns how a .dvc file names the file that it tracks.
func dvcPath(path string) string { return filepath.Base(path[:len(path)-len(dvcSuffix)]) }

// writeDVC writes the .dvc file of a training set, by the digest in its lock. It returns its path.
func writeDVC(out string, l *lock.Lock) (string, error) {
	path := out + dvcSuffix
	text, err := encodeDVC(dvcOut{l.Output.MD5, l.Output.Size, "md5", dvcPath(path)})
	if err == nil {
		err = checkForeignDVC(path, path)
	}
	if err == nil {
		err = regular.Replace(path, text)
	}
	if err != nil {
		return "", fmt.Errorf("the training set is complete, but not the file by which DVC tracks it: %w", err)
	}
	return path, nil
}
