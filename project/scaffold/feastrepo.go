package scaffold

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/english"
)

// feastScript writes what a Feast repo has registered, as a feastRepo.
//
//go:embed feastrepo.py
var feastScript []byte

// feastRepo is what a Feast repo has registered.
type feastRepo struct {
	Feast    string         `json:"feast"` // its version
	Repo     string         `json:"repo"`  // the folder, absolute
	Project  string         `json:"project"`
	Entities []feastEntity  `json:"entities"`
	Views    []feastView    `json:"views"`
	OnDemand []string       `json:"on_demand"`
	Services []feastService `json:"services"`
}

// feastNamed is what people say of an object of Feast.
type feastNamed struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Owner       string            `json:"owner"`
	Tags        map[string]string `json:"tags"`
}

type feastEntity struct {
	feastNamed
	Key  string `json:"key"`
	Type string `json:"type"`
}

type feastField struct{ Name, Type, Description string }

type feastView struct {
	feastNamed
	Kind        string       `json:"kind"`
	Entities    []string     `json:"entities"`
	TTL         float64      `json:"ttl_seconds"`
	Online      bool         `json:"online"`
	Keys        []feastField `json:"keys"`
	Features    []feastField `json:"features"`
	Transformed bool         `json:"transformed"`
	Source      feastSource  `json:"source"`
}

type feastSource struct {
	Name    string            `json:"name"`
	Kind    string            `json:"kind"`
	Through string            `json:"through"` // the push source or stream in front of it
	Path    string            `json:"path"`
	Format  string            `json:"format"`
	Event   string            `json:"event"`
	Created string            `json:"created"`
	Rename  map[string]string `json:"rename"`
}

type feastService struct {
	feastNamed
	Features []feastProjection `json:"features"`
}

// feastProjection is the features that a service takes from a view.
type feastProjection struct {
	View     string            `json:"view"`
	Alias    string            `json:"alias"`
	Features []string          `json:"features"`
	Keys     map[string]string `json:"keys"` // join key → column of the request
}

// Converted lists what became of a Feast repo.
type Converted struct {
	Feast                              string // its version
	Entities, Sources, Views, Services []string
	Notes                              []string // what was left out or means something else, and why
}

// FromFeast writes a repo with definitions like those that a Feast repo has registered. python is the Python that has Feast.
// The folder may contain other files. None is overwritten.
func FromFeast(ctx context.Context, dir, feast, python string, lookup func(string) (string, bool)) (*Converted, error) {
	fresh, err := room(dir, lookup)
	if err != nil {
		return nil, err
	}
	from, err := readFeast(ctx, feast, python)
	if err != nil {
		return nil, fmt.Errorf("init %s: %w", dir, err)
	}
	c := newConversion(from)
	if err := writeProposed(dir, fresh, c.text()); err != nil {
		return nil, err
	}
	return &c.Converted, nil
}

const (
	maxFeastOutput = 64 << 20        // bytes of what a Feast repo registers
	feastTimeout   = 5 * time.Minute // for Feast to read its registry
)

// readFeast asks Feast itself what a repo has registered.
func readFeast(ctx context.Context, repo, python string) (*feastRepo, error) {
	ctx, cancel := context.WithTimeout(ctx, feastTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-", repo) //nolint:gosec // G204: the user names the Python that has their Feast
	out, messages := &bounded{most: maxFeastOutput}, &bounded{most: 64 << 10, drops: true}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(feastScript), out, messages
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("ask Feast for %s: %w", repo, ctx.Err())
	case out.full:
		return nil, fstore.Errorf(fstore.ErrTooLarge, "%s wrote more than %s about the Feast repo %s", python, english.Count(maxFeastOutput, "byte"), repo)
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return nil, fstore.Errorf(fstore.ErrNotFound, "there is no command %s", python).WithHint("--python names the Python that has feast, such as venv/bin/python")
	case errors.As(err, &ended):
		return nil, fstore.Errorf(fstore.ErrInvalid, "%s could not read the Feast repo %s: %s", python, repo, lastLine(messages.text.String())).
			WithHint("--python names the Python that has feast, such as venv/bin/python; feast apply registers the definitions of a repo")
	case err != nil:
		return nil, fmt.Errorf("run %s: %w", python, err)
	}
	var r feastRepo
	if err := json.Unmarshal(out.text.Bytes(), &r); err != nil {
		return nil, fstore.Errorf(fstore.ErrInvalid, "what %s wrote about %s cannot be read: %v", python, repo, err)
	}
	if len(r.Views) == 0 {
		return nil, fstore.Errorf(fstore.ErrInvalid, "the Feast repo %s has no feature views registered", repo).WithHint("run feast apply there")
	}
	return &r, nil
}

// bounded is a buffer that refuses, or drops, what is beyond its size. The buffer is not embedded: its ReadFrom has no bound.
type bounded struct {
	text  bytes.Buffer
	most  int
	drops bool
	full  bool // more was refused or dropped
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > b.most {
		b.full = true
		if b.drops {
			return len(p), nil
		}
		return 0, io.ErrShortWrite
	}
	return b.text.Write(p)
}

// lastLine returns the last line of a text that is not empty: of a traceback, the error.
func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// feastTypes are Feast's types that fstore has. A list has the suffix _LIST.
var feastTypes = map[string]fstore.Type{
	"BOOL": fstore.Bool, "INT32": fstore.Int32, "INT64": fstore.Int64, "FLOAT": fstore.Float32, "DOUBLE": fstore.Float64,
	"STRING": fstore.String, "BYTES": fstore.Bytes, "UNIX_TIMESTAMP": fstore.Timestamp, "UUID": fstore.String, "TIME_UUID": fstore.String,
	"JSON": fstore.String, // files hold its text
}

// feastType returns the type for one of Feast's, or Invalid.
func feastType(name string) fstore.Type {
	if of, ok := strings.CutSuffix(name, "_LIST"); ok {
		if t := feastTypes[of]; t != fstore.Invalid {
			return fstore.List(t)
		}
		return fstore.Invalid
	}
	return feastTypes[name]
}

// ownName returns a name with Feast's letters as fstore writes names: lower case, digits and _.
func ownName(s string) string {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
			b.WriteRune(c)
		case c >= 'A' && c <= 'Z':
			if i > 0 && s[i-1] >= 'a' && s[i-1] <= 'z' {
				b.WriteByte('_')
			}
			b.WriteRune(c - 'A' + 'a')
		default:
			b.WriteByte('_')
		}
	}
	name := strings.Trim(b.String(), "_")
	if name == "" || name[0] < 'a' {
		name = "f_" + name
	}
	return name[:min(len(name), 100)]
}
