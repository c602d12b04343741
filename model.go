package fstore

import (
	"regexp"
	"strings"
)

// ModelRef names a version of a model: fraud@3. The model's owner chooses both. The version may be any word.
type ModelRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (r ModelRef) String() string { return r.Name + "@" + r.Version }

// ParseModelRef reads "fraud@3"; the version may be missing.
func ParseModelRef(s string) (ModelRef, error) {
	name, version, found := strings.Cut(s, "@")
	if err := CheckModelName(name); err != nil || !found {
		return ModelRef{Name: name}, err
	}
	return ModelRef{name, version}, CheckModelVersion(version)
}

// maxModelVersion bounds the version of a model, in bytes.
const maxModelVersion = 100

var (
	modelName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	modelAlias = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)
)

// CheckModelName returns an error unless the name of a model has letters, digits and . _ - only, begins with a letter or
// a digit, and has at most 128 bytes. Model registries have such names: fraud-detector, main.ml.Fraud.
func CheckModelName(s string) error { return checkWord(s, modelName) }

// CheckModelAlias returns an error unless an alias of a version has the form of a model's name and begins with a letter.
func CheckModelAlias(s string) error { return checkWord(s, modelAlias) }

func checkWord(s string, form *regexp.Regexp) error {
	const hint = "letters, digits and . _ -, such as fraud-detector; an alias begins with a letter"
	switch {
	case s == "":
		return Errorf(ErrInvalid, "a name is empty").WithHint(hint)
	case len(s) > maxName:
		return Errorf(ErrInvalid, "%.20q… is a name of %d bytes; the limit is %d", s, len(s), maxName).WithHint(hint)
	case !form.MatchString(s):
		return Errorf(ErrInvalid, "%q is not a name", s).WithHint(hint)
	}
	return nil
}

// CheckModelVersion returns an error unless a version of a model is a word of letters, digits and . _ - +.
func CheckModelVersion(s string) error {
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-+", c) >= 0 {
			continue
		}
		return Errorf(ErrInvalid, "%q is not a version of a model", s).WithHint("letters, digits and . _ - +, such as 3 or 2025-12-01")
	}
	if s == "" || len(s) > maxModelVersion {
		return Errorf(ErrInvalid, "a version of a model has 1 to %d letters, %q has %d", maxModelVersion, s, len(s))
	}
	return nil
}
