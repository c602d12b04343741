package fstore

import "strings"

// ModelRef names a version of a model: fraud@3. The model's owner chooses both. The version may be any word.
type ModelRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (r ModelRef) String() string { return r.Name + "@" + r.Version }

// ParseModelRef reads "fraud@3"; the version may be missing.
func ParseModelRef(s string) (ModelRef, error) {
	name, version, found := strings.Cut(s, "@")
	if err := CheckName(name); err != nil || !found {
		return ModelRef{Name: name}, err
	}
	return ModelRef{name, version}, CheckModelVersion(version)
}

// maxModelVersion bounds the version of a model, in bytes.
const maxModelVersion = 100

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
