package registry

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fstore-dev/fstore/registry/record"
)

// MaxMonitored is how many rounds are kept of each model version.
const MaxMonitored = 100

// Watched names what monitor watches: a model version and the service that its features came from, a service alone, or with no name at
// all the views and sources that no service and no model uses.
type Watched struct {
	Service string `json:"service,omitempty"`
	Model   string `json:"model,omitempty"`
	Version string `json:"version,omitempty"`
}

// String names the model version, or else the service.
func (w Watched) String() string {
	switch {
	case w.Model != "":
		return w.Model + "@" + w.Version
	case w.Service != "":
		return "service " + w.Service
	}
	return "other views"
}

// Monitored is one round of monitoring.
type Monitored struct {
	Time   time.Time       `json:"time"`
	By     string          `json:"by,omitempty"` // who ran it
	OK     bool            `json:"ok"`           // everything was looked at, and nothing was wrong
	Result json.RawMessage `json:"result"`
}

// AddMonitored keeps a round and drops the oldest beyond MaxMonitored.
func (r *Store) AddMonitored(ctx context.Context, project string, of Watched, m Monitored) error {
	err := r.backend.Write(ctx, project, func(tx record.Tx) error {
		kept := &record.Monitored{Service: of.Service, Model: of.Model, Version: of.Version}
		all, err := readMonitored(ctx, tx, kept)
		if err != nil {
			return err
		}
		all = append([]Monitored{m}, all[:min(len(all), MaxMonitored-1)]...)
		encoded, err := json.Marshal(all)
		if err != nil {
			return err
		}
		kept.History = string(encoded)
		return tx.Put(ctx, kept)
	})
	return wrap("keep the result of monitoring "+of.String(), err)
}

// Monitored returns the rounds that are kept, the newest first.
func (r *Store) Monitored(ctx context.Context, project string, of Watched) (out []Monitored, err error) {
	err = r.backend.Read(ctx, project, func(tx record.Tx) (err error) {
		out, err = readMonitored(ctx, tx, &record.Monitored{Service: of.Service, Model: of.Model, Version: of.Version})
		return err
	})
	return out, wrap("read the results of monitoring "+of.String(), err)
}

func readMonitored(ctx context.Context, tx record.Tx, r *record.Monitored) (out []Monitored, err error) {
	if known, err := tx.Get(ctx, r); err != nil || !known {
		return nil, err
	}
	if err := json.Unmarshal([]byte(r.History), &out); err != nil {
		return nil, corrupt("the results of monitoring %s %s@%s: %s", r.Service, r.Model, r.Version, err)
	}
	return out, nil
}
