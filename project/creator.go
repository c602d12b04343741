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
	args, err := o.arguments(r)
	if err != nil {
		return nil, err
	}
	said := &messages{say: say}
	out, err := child.Run(ctx, child.Command{Path: o.program, Args: args, Env: o.environment(), Patience: stopPatience, Line: said.line})
	var exit *exec.ExitError
	switch {
	case err == nil:
		return compact(out)
	case errors.As(err, &exit) && said.failed != nil:
		return nil, said.failed.asError()
	case errors.As(err, &exit):
		return nil, fmt.Errorf("fstore training-set create %s: %w: %s", r.Name, err, said.other.String())
	}
	return nil, err
}

func compact(text []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return nil, fmt.Errorf("fstore training-set create printed no JSON: %w", err)
	}
	return out.Bytes(), nil
}

// arguments returns the arguments of the command. Each value is part of its flag, so that none can be a flag.
func (o *offlineSets) arguments(r *flight.Creation) ([]string, error) {
	s := o.p.Settings
	args := []string{
		"--repo=" + s.Dir, "--output=json", "--progress=json", "training-set", "create", r.Name,
		"--out=" + filepath.Join(s.Offline.TrainingSets, r.Name+parquetSuffix),
	}
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
	add("timestamp", r.Timestamp)
	for _, column := range r.Label {
		args = append(args, "--label="+column)
	}
	if r.Sample != nil {
		add("sample", strconv.FormatInt(*r.Sample, 10))
	}
	if r.Seed != nil {
		add("sample-seed", strconv.FormatInt(*r.Seed, 10))
	}
	add("as-of", r.AsOf)
	add("leak-check", r.LeakCheck)
	if r.Replace {
		args = append(args, "--replace")
	}
	if r.Snapshot {
		args = append(args, "--snapshot")
	}
	return args, nil
}

// environment returns this process's environment, with the settings that were given to it otherwise.
func (o *offlineSets) environment() []string {
	env := o.p.options.Environ()
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

// commandKinds are the kinds of errors, by the names that the command gives them.
var commandKinds = map[string]error{
	"usage": fstore.ErrInvalid, "invalid": fstore.ErrInvalid, "check": fstore.ErrCheck, "conflict": fstore.ErrConflict,
	"not_found": fstore.ErrNotFound, "not_ready": fstore.ErrNotReady, "too_large": fstore.ErrTooLarge,
	"corrupt": server.ErrDamaged, "unavailable": server.ErrAway, "busy": server.ErrAway, "stopped": server.ErrAway,
}

func (e *commandError) asError() error {
	kind, ok := commandKinds[e.Kind]
	if !ok {
		return fmt.Errorf("fstore training-set create: %s", e.Message)
	}
	err := fstore.Errorf(kind, "%s", e.Message)
	if len(e.Hints) > 0 {
		err = err.WithHint("%s", strings.Join(e.Hints, "; "))
	}
	return err
}
