package project

import (
	"context"
	"fmt"
	"time"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/online/memory"
)

// replayStore is an online store in memory that holds some keys of view versions, each as of an instant.
type replayStore struct {
	*online.Store
	generations int
}

func newReplayStore(project string) *replayStore {
	return &replayStore{Store: online.New(memory.New(), project)}
}

// load publishes the wanted keys of a view version as the engine computes them as of p.
func (s *replayStore) load(ctx context.Context, engine *offline.Engine, v *fstore.ViewVersion, p time.Time, wanted map[string]bool) error {
	s.generations++
	g := fstore.Generation(fmt.Sprintf("%016x", s.generations))
	encoder, err := s.Encoder(v, g)
	if err != nil {
		return err
	}
	var keys, records [][]byte
	for batch, err := range engine.AsOf(ctx, v, p) {
		if err != nil {
			return err
		}
		columns := make([]*fstore.Column, len(v.View.Keys))
		for i := range columns {
			columns[i] = &batch.Columns[i]
		}
		for row := range batch.Len {
			if !wanted[string(fstore.AppendKey(nil, columns, row))] {
				continue
			}
			key, record, err := encoder.Encode(batch, row, nil, nil)
			if err != nil {
				return err
			}
			keys, records = append(keys, key), append(records, record)
		}
	}
	h := fstore.Header{View: v.Ref, Generation: g, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Partitions: fstore.Partitions, Run: string(g), RunAt: p, Token: "replay"}
	f := fstore.Fence{View: v.Ref, Generation: g, Run: h.Run, At: p, Complete: true}
	if err := s.SetHeader(ctx, nil, h); err != nil {
		return err
	}
	if err := s.SetFence(ctx, nil, f); err != nil {
		return err
	}
	if err := s.WriteBatch(ctx, f, f, keys, records, nil); err != nil {
		return err
	}
	is := h
	is.Published, is.Complete = p, true
	return s.Publish(ctx, h, is, f, nil, fstore.Pointer{
		Generation: g, Published: p, Fingerprint: v.Fingerprint, Layout: fstore.RecordLayout, Partitions: fstore.Partitions, Run: h.Run, Number: 1,
	})
}
