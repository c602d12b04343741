package offline

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/regular"
)

const rewrite = "write the file again, or remove it"

// parquetMagic is what a Parquet file begins and ends with.
const parquetMagic = "PAR1"

// encryptedMagic is what it begins and ends with where its footer is encrypted.
const encryptedMagic = "PARE"

// checkParquet returns an error, ErrInvalid, if a file does not begin and end like a Parquet file. It does not look at what
// is between.
func checkParquet(path string) error {
	bad := func(format string, args ...any) error {
		return fstore.Errorf(fstore.ErrInvalid, "%s "+format, append([]any{path}, args...)...).WithHint(rewrite)
	}
	f, err := regular.Open(path, regular.AnySize)
	if err != nil {
		return regular.ReadError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return regular.ReadError(path, err)
	}
	size := info.Size()
	if size == 0 {
		return bad("is empty, so it is not a Parquet file")
	}
	var head, tail [4]byte
	var footer [8]byte
	if size >= int64(len(head)) {
		if _, err := f.ReadAt(head[:], 0); err != nil {
			return regular.ReadError(path, err)
		}
	}
	if string(head[:]) == encryptedMagic {
		return encrypted(path)
	}
	if string(head[:]) != parquetMagic {
		return bad("is not a Parquet file: it does not begin like one")
	}
	if size >= int64(len(head)+len(footer)) {
		if _, err := f.ReadAt(footer[:], size-int64(len(footer))); err != nil {
			return regular.ReadError(path, err)
		}
		copy(tail[:], footer[4:])
	}
	if string(tail[:]) != parquetMagic {
		return bad("is cut off: it begins like a Parquet file and does not end like one")
	}
	if n := int64(binary.LittleEndian.Uint32(footer[:4])); n > size-int64(len(head)+len(footer)) {
		return bad("is damaged: its footer would have %d bytes, and the file has %d", n, size)
	}
	return nil
}

// checkRegular returns an error unless a path names a regular file. DuckDB opens files by their paths, so this is called
// just before.
func checkRegular(path string) error {
	if _, err := regular.Stat(path); err != nil {
		return regular.ReadError(path, err)
	}
	return nil
}

func encrypted(path string) *fstore.Error {
	return fstore.Errorf(fstore.ErrInvalid, "%s is encrypted, which fstore cannot read", path).WithHint("write it without Parquet's encryption; encrypt the disk instead")
}

// OpenParquet opens a Parquet file and reads its footer. The caller closes the file. The error is ErrInvalid if the file is
// damaged or not a Parquet file, and says what is wrong.
func OpenParquet(path string) (_ *os.File, _ *parquet.File, err error) {
	if err := checkParquet(path); err != nil {
		return nil, nil, err
	}
	f, err := regular.Open(path, regular.AnySize)
	if err != nil {
		return nil, nil, regular.ReadError(path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	defer func() {
		if p := recover(); p != nil { // the package panics on some footers
			_ = f.Close()
			err = damaged(path, fmt.Sprint(p))
		}
	}()
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, nil, errors.Join(damaged(path, err.Error()), f.Close())
	}
	return f, file, nil
}

// reason returns the engine's message, without the bytes of the file that some messages end in.
func reason(f *failure) string {
	message, _, _ := strings.Cut(f.message, "\x00")
	return strings.TrimRightFunc(message, func(r rune) bool { return r == ':' || r == utf8.RuneError || !unicode.IsPrint(r) || unicode.IsSpace(r) })
}

// damaged says what is wrong with a file that the engine cannot read: damage, or a feature that it does not support.
func damaged(path, why string) *fstore.Error {
	switch lower := strings.ToLower(why); {
	case strings.Contains(lower, "encrypt"):
		return encrypted(path)
	case strings.Contains(lower, "codec"):
		return fstore.Errorf(fstore.ErrInvalid, "%s is compressed in a way that fstore cannot read: %s", path, why).
			WithHint("write it with zstd, snappy, gzip, brotli or lz4_raw, or without compression")
	}
	return fstore.Errorf(fstore.ErrInvalid, "%s is damaged: %s", path, why).WithHint(rewrite)
}

// misread says what is wrong with a file whose pages the engine cannot read. Pages may be encrypted even if the footer is
// not.
func misread(path, why string) *fstore.Error {
	f, file, err := OpenParquet(path)
	if err != nil {
		return damaged(path, why)
	}
	defer f.Close()
	if file.Metadata().EncryptionAlgorithm.Value != nil {
		return encrypted(path)
	}
	return damaged(path, why)
}

// unreadable finds the file of a source that caused an error, if a file did.
func (s *session) unreadable(ctx context.Context, src *source, err error) error {
	var f *failure
	if !errors.As(err, &f) {
		return err
	}
	for _, file := range src.files {
		if bad := checkParquet(file); bad != nil {
			return bad
		}
	}
	for _, file := range src.files { // the footer may be damaged
		from := "\nFROM " + readParquet([]string{file}, false)
		_, alone := s.describe(ctx, "SELECT *"+from)
		if alone == nil {
			alone = s.exec(ctx, "SELECT *\nFROM parquet_schema("+escaped([]string{file})+")")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.As(alone, &f) {
			return misread(file, reason(f))
		}
	}
	return err
}

// blame finds the file that an error of the engine is about, if the error does not name it. The engine notices some damage
// only where it no longer knows which file it reads. So blame reads each file alone.
func (s *session) blame(ctx context.Context, err error) error {
	if _, ok := misfitOf(err); ok {
		return s.locate(ctx, err)
	}
	var f *failure
	if !errors.As(err, &f) || !ofDamage[f.cause.Type] {
		return err
	}
	for _, src := range s.readSources() {
		for _, file := range src.files {
			alone := s.readAlone(ctx, file)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if alone != nil {
				found := misread(file, reason(f))
				found.Message = "source " + src.def.Name + ": " + found.Message
				return found
			}
		}
	}
	return err
}

// ofDamage are the classes of exceptions that damaged pages and damaged statistics cause.
var ofDamage = map[string]bool{"Invalid": true, "Invalid Input": true, "INTERNAL": true}

// readAlone reads a file in each way that uses a part of it: its values and, by grouping them, the statistics in its
// footer.
func (s *session) readAlone(ctx context.Context, file string) error {
	from := "\nFROM " + readParquet([]string{file}, false)
	if err := s.conn.Exec(ctx, "SELECT *"+from); err != nil {
		return err
	}
	columns, err := s.describe(ctx, "SELECT *"+from)
	if err != nil {
		return err
	}
	for _, c := range columns {
		if err := s.conn.Exec(ctx, "SELECT 1"+from+"\nGROUP BY "+ident(c.Name)); err != nil {
			return err
		}
	}
	return nil
}
