package project

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/offline/lock"
	"github.com/fstore-dev/fstore/registry"
)

// The tags by which a version of a model in another model registry says what it is pinned to. They are copies: the
// registry decides.
const (
	tagPin         = "fstore.pin"          // digest of the pinned features
	tagTrainingSet = "fstore.training_set" // NAME@DIGEST, of its rows and columns
	tagService     = "fstore.service"      // NAME@VERSION
	tagProject     = "fstore.project"
)

// tagKeys has all tags.
var tagKeys = []string{tagPin, tagTrainingSet, tagService, tagProject}

// tagDigest is how many hex digits of a digest tags have. That is 128 bits, and short enough for every registry.
const tagDigest = 32

// tags returns the tags of a pinned version.
func (p *Project) tags(ctx context.Context, db *registry.Store, rev *registry.Revision, m *registry.ModelVersion) (map[string]string, error) {
	list, err := rev.ModelFeatures(m.Ref)
	if err != nil {
		return nil, err
	}
	digest, err := pinDigest(list)
	if err != nil {
		return nil, err
	}
	out := map[string]string{tagPin: digest, tagProject: p.Settings.Project}
	if m.Service.Name != "" {
		out[tagService] = m.Service.String()
	}
	set, err := db.PinnedSet(ctx, p.Settings.Project, m)
	if err != nil || set == nil {
		return out, err
	}
	l, err := lock.Read(set.Lock)
	if err != nil {
		return nil, fmt.Errorf("the lock of training set %s: %w", set.Name, err)
	}
	out[tagTrainingSet] = set.Name + "@" + l.Output.Content[:tagDigest]
	return out, nil
}

// pinDigest returns a digest of features, in their order, and of the view versions that they come from, with their
// definitions.
func pinDigest(list *fstore.FeatureList) (string, error) {
	type use struct {
		View        fstore.ViewRef      `json:"view"`
		Fingerprint string              `json:"fingerprint"`
		Keys        []fstore.KeyBinding `json:"keys,omitempty"`
	}
	var of struct {
		Uses     []use             `json:"uses"`
		OnDemand []use             `json:"on_demand"`
		Request  map[string]string `json:"request"`
		Outputs  fstore.Outputs    `json:"outputs"`
	}
	for _, u := range list.Uses {
		of.Uses = append(of.Uses, use{u.Version.Ref, u.Version.Fingerprint, u.Keys})
	}
	for _, v := range list.OnDemand {
		of.OnDemand = append(of.OnDemand, use{View: v.Ref, Fingerprint: v.Fingerprint})
	}
	of.Request, of.Outputs = list.Request, list.Outputs
	text, err := json.Marshal(of)
	if err != nil {
		return "", fmt.Errorf("digest of the pinned features: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:tagDigest], nil
}
