package offline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fstore-dev/fstore"
)

// EncodeLock writes a lock and seals it with its digest.
func EncodeLock(l *Lock) ([]byte, error) {
	digest, err := l.sum()
	if err != nil {
		return nil, err
	}
	l.Digest = digest
	text, err := json.MarshalIndent(l, "", "  ")
	if err == nil && len(text) > MaxLock {
		return nil, fstore.Errorf(fstore.ErrTooLarge, "the lock would have %d MB, more than %d", len(text)>>20, MaxLock>>20).
			WithHint("read fewer files, or write fewer columns")
	}
	return text, err
}

// sum returns the digest of a lock: of its JSON, compact, without the digest. So another layout of the file is the same
// lock, and another value in it is not.
func (l *Lock) sum() (string, error) {
	bare := *l
	bare.Digest = ""
	text, err := json.Marshal(bare)
	if err != nil {
		return "", fstore.Errorf(fstore.ErrInvalid, "encode the lock: %v", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// ReadLock reads a lock. The error is ErrInvalid for what is no lock of this format, with what is wrong, and ErrCorrupt
// for a lock that was changed after it was written.
func ReadLock(text []byte) (*Lock, error) {
	if err := fstore.CheckJSON(text); err != nil {
		return nil, fmt.Errorf("it is not a lock: %w", err)
	}
	if len(text) > MaxLock {
		return nil, fstore.Errorf(fstore.ErrInvalid, "it is not a lock: it has %d MB, more than %d", len(text)>>20, MaxLock>>20)
	}
	var head struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "it is not a lock: %s", jsonMistake(text, err))
	}
	switch {
	case head.Format == nil:
		return nil, fstore.Errorf(fstore.ErrInvalid, "it is not a lock: it has no format").WithHint("the lock of a training set lies beside it and is named …%s", lockSuffix)
	case *head.Format > LockFormat:
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock has format %d, and this fstore knows formats up to %d", *head.Format, LockFormat).
			WithHint("use the newer fstore that wrote it")
	case *head.Format < LockFormat:
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock has format %d, which a development build of fstore wrote; this fstore reads format %d", *head.Format, LockFormat).
			WithHint("make the training set again")
	}
	l := &Lock{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock is damaged: %s", jsonMistake(text, err)).WithHint(restoreLock)
	}
	if sum, err := l.sum(); err != nil || sum != l.Digest {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "the lock was changed after it was written: its content is not what its digest says").WithHint(restoreLock)
	}
	if err := l.check(); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the lock contradicts itself: %v", err).WithHint(restoreLock)
	}
	return l, nil
}

const (
	lockSuffix  = ".lock.json"
	restoreLock = "a lock is never edited: take the one that was written, from version control or by fstore training-set show NAME --output json"
)

// jsonMistake says where JSON is not what it should be.
func jsonMistake(text []byte, err error) string {
	at := int64(-1)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &typ):
		at = typ.Offset
	}
	message := strings.TrimPrefix(err.Error(), "json: ")
	if at < 0 || at > int64(len(text)) {
		return message
	}
	return fmt.Sprintf("line %d: %s", 1+bytes.Count(text[:at], []byte("\n")), message)
}

// check returns an error unless everything that a lock names is in it. Its digest says that nobody edited it, not that a
// program wrote it which knows the rules.
func (l *Lock) check() error {
	if err := fstore.CheckName(l.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	if (l.Labels.File == nil) == (l.Labels.SQL == "") {
		return errors.New("labels: either a file or a query makes them")
	}
	for i, v := range l.Views {
		if v == nil {
			return fmt.Errorf("views: %d is null", i)
		}
		if err := checkVersion(v); err != nil {
			return fmt.Errorf("view %s: %w", v.Ref, err)
		}
	}
	for i, u := range l.Uses {
		v := l.view(u.View)
		if v == nil {
			return fmt.Errorf("uses: there is no view %s", u.View)
		}
		keys := []fstore.Field{}
		for _, k := range u.Keys {
			keys = append(keys, k.Key)
		}
		if !slices.Equal(keys, append([]fstore.Field{}, v.View.Keys...)) {
			return fmt.Errorf("uses: %d binds other keys than those of %s", i, u.View)
		}
	}
	for _, f := range l.Features {
		if f.Use < 0 || f.Use >= len(l.Uses) || l.Uses[f.Use].View != f.View {
			return fmt.Errorf("feature %s: use %d is not one of %s", f.Name, f.Use, f.View)
		}
		if in := l.view(f.View).View.Feature(f.Feature); in == nil || in.Type != f.Type {
			return fmt.Errorf("feature %s: %s has no feature %s of type %s", f.Name, f.View, f.Feature, f.Type)
		}
	}
	if err := l.checkSources(); err != nil {
		return err
	}
	if l.Output.Content != contentDigest(l.Output.Rows, l.Output.Columns) {
		return errors.New("output: the digest of the content is not that of its columns")
	}
	return l.checkTargets()
}

// checkSources returns an error unless the files of every source are there, each with its digest.
func (l *Lock) checkSources() error {
	all := slices.Clone(l.Labels.Inputs)
	for _, v := range l.Views {
		all = append(all, v.Sources...)
	}
	for i := range all {
		if l.source(&all[i]) == nil {
			return fmt.Errorf("sources: there is no %s with path %s", all[i].Name, all[i].Path)
		}
	}
	if err := l.Output.LockFile.check(); err != nil {
		return fmt.Errorf("output.%w", err)
	}
	if f := l.Labels.File; f != nil {
		if err := f.check(); err != nil {
			return fmt.Errorf("labels.file.%w", err)
		}
	}
	for i, s := range l.Sources {
		if len(s.Files) == 0 {
			return fmt.Errorf("source %s: it has no files", s.Name)
		}
		for j, f := range s.Files {
			if err := f.check(); err != nil {
				return fmt.Errorf("sources[%d].files[%d].%w", i, j, err)
			}
		}
	}
	return nil
}

// Bounds of a path in a lock: no file system that fstore runs on opens a longer one.
const (
	maxPath = 4096 // bytes of a path
	maxStep = 255  // bytes of a folder's or file's name
)

// check returns an error that begins with the wrong field, unless a file is as fstore writes it.
func (f *LockFile) check() error {
	if err := checkPath(f.Path); err != nil {
		return fmt.Errorf("path: %.300q %w", f.Path, err)
	}
	if !blobName.MatchString(f.SHA256) {
		return fmt.Errorf("sha256: %.80q is not 64 hexadecimal digits in lower case", f.SHA256)
	}
	if f.Size < 0 {
		return fmt.Errorf("size: %d is negative", f.Size)
	}
	return nil
}

// checkPath returns an error unless a path names one place: it is absolute, and has no steps such as .. that lead out of
// a folder to which it may be joined.
func checkPath(path string) error {
	switch {
	case strings.ContainsRune(path, 0):
		return errors.New("contains a zero byte")
	case len(path) > maxPath:
		return fmt.Errorf("is longer than %d bytes", maxPath)
	case !filepath.IsAbs(path) || filepath.Clean(path) != path:
		return errors.New("is not a clean absolute path: it has to begin at the root and must not contain . or .. or an empty step")
	}
	for _, step := range strings.Split(path, string(filepath.Separator)) {
		if len(step) > maxStep {
			return fmt.Errorf("has a step longer than %d bytes", maxStep)
		}
	}
	return nil
}

// checkVersion returns an error unless a view version can be computed from what is in it.
func checkVersion(v *fstore.ViewVersion) error {
	all := append(slices.Clone(v.Views), v.View)
	for i := range all {
		view := &all[i]
		switch {
		case (view.Source == "") == (view.SQL == ""):
			return fmt.Errorf("%s: either a source or SQL gives its rows", view.Name)
		case view.Source != "" && v.Source(view.Source) == nil:
			return fmt.Errorf("%s: there is no source %s", view.Name, view.Source)
		case view.Publish != nil && view.Publish.Every <= 0:
			return fmt.Errorf("%s: publish.every is not positive", view.Name)
		}
		for _, f := range view.Features {
			if f.Default != nil && (f.Default.Type != f.Type || f.Default.Len != 1 || f.Default.IsNull(0)) {
				return fmt.Errorf("%s.%s: its default is not %s", view.Name, f.Name, f.Type.WithArticle())
			}
		}
	}
	return nil
}
