package project

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/internal/child"
	"github.com/fstore-dev/fstore/server"
	"github.com/fstore-dev/fstore/server/flight"
)

// stopPatience is how long a command has to end before it is killed.
const stopPatience = 10 * time.Second

// Create implements flight.Sets. The engine runs in a process of its own, so that look-ups keep their time: the command
// that a person would run. It does all or nothing, and finds what was made from the same inputs.
func (o *offlineSets) Create(ctx context.Context, r *flight.Creation, say func(line []byte) error) ([]byte, error) {
	args, err := o.creation(r)
	if err != nil {
		return nil, err
	}
	out, err := o.run(ctx, args, say)
	if err != nil {
		return nil, err
	}
	return compact(out)
}

// run runs a command of training sets, and returns what it printed.
func (o *offlineSets) run(ctx context.Context, args []string, say func(line []byte) error) ([]byte, error) {
	said := &messages{say: say}
	args = append([]string{"--repo=" + o.p.Settings.Dir, "--output=json", "--progress=json", "training-set"}, args...)
	out, err := child.Run(ctx, child.Command{Path: o.program, Args: args, Env: o.environment(), Patience: stopPatience, Line: said.line})
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && said.failed != nil:
		return nil, said.failed.asError()
	case errors.As(err, &exit):
		return nil, fmt.Errorf("fstore %s: %w: %s", strings.Join(args[3:5], " "), err, said.other.String())
	}
	return out, err
}

func compact(text []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return nil, fmt.Errorf("fstore training-set printed no JSON: %w", err)
	}
	return out.Bytes(), nil
}

// creation returns the arguments of the command that makes a training set.
func (o *offlineSets) creation(r *flight.Creation) ([]string, error) {
	args := []string{"create", r.Name, "--out=" + filepath.Join(o.p.Settings.Offline.TrainingSets, r.Name+parquetSuffix)}
	for _, column := range r.Label {
		args = append(args, "--label="+column)
	}
	if r.Replace {
		args = append(args, "--replace")
	}
	if r.Snapshot {
		args = append(args, "--snapshot")
	}
	return o.request(args, &r.Request)
}

// request adds the arguments that say which features of which labels are wanted. Each value is part of its flag, so that
// none can be a flag.
func (o *offlineSets) request(args []string, r *flight.Request) ([]string, error) {
	add := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	if r.Labels != "" {
		path, err := o.labels.use(r.Labels, o.p.now())
		if err != nil {
			return nil, err
		}
		add("labels", path)
	}
	add("labels-sql", r.LabelsSQL)
	add("service", r.Service)
	add("features", strings.Join(r.Features, ","))
	add("model", r.Model)
	add("timestamp", r.Timestamp)
	if r.Sample != nil {
		add("sample", strconv.FormatInt(*r.Sample, 10))
	}
	if r.Seed != nil {
		add("sample-seed", strconv.FormatInt(*r.Seed, 10))
	}
	add("as-of", r.AsOf)
	add("leak-check", r.LeakCheck)
	return args, nil
}

// environment returns this process's environment, with the settings that were given to it otherwise. The command is not traced:
// the request's span has its time, and a warning about lost spans would go to the caller.
func (o *offlineSets) environment() []string {
	env := append(o.p.options.Environ(), "OTEL_TRACES_EXPORTER=none")
	for key, given := range o.p.options.Settings {
		env = append(env, envName(key)+"="+given.Value)
	}
	return env
}

// messages are what the command says with --progress json.
type messages struct {
	say    func([]byte) error
	failed *commandError
	other  bytes.Buffer // lines that are no messages, such as those of a panic
}

// commandError is the error that ended a command.
type commandError struct {
	Kind    string   `json:"kind"`
	Message string   `json:"message"`
	Hints   []string `json:"hints"`
}

const maxOther = 4 << 10

func (m *messages) line(line []byte) error {
	var found struct{ Error *commandError }
	if json.Unmarshal(line, &found) != nil {
		if m.other.Len()+len(line) < maxOther {
			m.other.Write(append(line, '\n'))
		}
		return nil
	}
	if found.Error != nil {
		m.failed = found.Error
	}
	return m.say(line)
}

// asError returns the error as the server's callers get it. What only this machine's operator can mend has no kind.
func (e *commandError) asError() error {
	kind := kindNamed(e.Kind)
	switch kind {
	case fstore.ErrInvalid, fstore.ErrCheck, fstore.ErrConflict, fstore.ErrNotFound, fstore.ErrNotReady, fstore.ErrTooLarge:
	case fstore.ErrUsage:
		kind = fstore.ErrInvalid
	case fstore.ErrCorrupt:
		kind = server.ErrDamaged
	case fstore.ErrUnavailable, fstore.ErrBusy, context.Canceled:
		kind = server.ErrAway
	default:
		return fmt.Errorf("fstore training-set: %s", e.Message)
	}
	err := fstore.Errorf(kind, "%s", e.Message)
	if len(e.Hints) > 0 {
		err = err.WithHint("%s", strings.Join(e.Hints, "; "))
	}
	return err
}
