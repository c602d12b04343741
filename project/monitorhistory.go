package project

import (
	"context"
	"encoding/json"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
)

// MonitorHistory is what the registry keeps of the rounds of a model version or a service.
type MonitorHistory struct {
	registry.Watched
	Rounds []MonitorRound `json:"rounds"` // the newest first
}

// MonitorRound is a round that was kept.
type MonitorRound struct {
	Time time.Time `json:"time"`
	By   string    `json:"by"` // user@machine
	OK   bool      `json:"ok"` // everything was looked at, and nothing fired
	MonitorResult
}

// MonitorHistory returns what is kept of the rounds of the models that a request means.
func (p *Project) MonitorHistory(ctx context.Context, services []string) ([]MonitorHistory, error) {
	db, rev, err := p.openApplied(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	m := &monitoring{p: p, rev: rev, r: MonitorRequest{Services: services}}
	models, err := m.subjects()
	if err != nil {
		return nil, err
	}
	out := []MonitorHistory{}
	for _, of := range models {
		rounds, err := db.Monitored(ctx, p.Settings.Project, of.Watched)
		if err != nil {
			return nil, err
		}
		h := MonitorHistory{Watched: of.Watched, Rounds: []MonitorRound{}}
		for _, round := range rounds {
			result, err := readRound(of.Watched, round)
			if err != nil {
				return nil, err
			}
			h.Rounds = append(h.Rounds, MonitorRound{round.Time, round.By, round.OK, *result})
		}
		out = append(out, h)
	}
	return out, nil
}

func readRound(of registry.Watched, round registry.Monitored) (*MonitorResult, error) {
	out := &MonitorResult{}
	if err := json.Unmarshal(round.Result, out); err != nil {
		return nil, fstore.Errorf(fstore.ErrCorrupt, "the registry is damaged: the results of monitoring %s: %s", of, err).WithHint("restore it from a backup")
	}
	return out, nil
}
