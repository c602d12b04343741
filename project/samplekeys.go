package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	fstore "github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/materialize"
)

// SampleKeys adds up to most rows of keys that views of a list hold, drawn at random. They come from the state folder: from
// the manifests of the last runs that published those views. Keys of different views are combined at random where no view has
// them all. Request columns have their defaults. It returns ErrUsage if a column has no values, and
// ErrCorrupt if a manifest is damaged; then the rows must come from a file.
func (p *Project) SampleKeys(ctx context.Context, rows *KeyRows, list *fstore.FeatureList, most int, random *rand.Rand) error {
	uses := slices.Clone(list.Uses) // those that fill the most columns first
	slices.SortStableFunc(uses, func(a, b fstore.ViewUse) int { return cmp.Compare(len(b.Keys), len(a.Keys)) })
	values := map[string]*fstore.Column{}
	without := map[string][]string{} // the view versions that have no keys, by column
	for _, u := range uses {
		if !slices.ContainsFunc(u.Keys, func(k fstore.KeyBinding) bool { return values[k.Column] == nil }) {
			continue
		}
		sample, err := materialize.Sample(ctx, p.stateDir(), u.Version.Ref, most, random)
		if errors.Is(err, fstore.ErrCorrupt) {
			return fstore.Errorf(fstore.ErrCorrupt, "read the keys of %s from the state folder: %s", u.Version.Ref, fstore.MessageOf(err)).
				WithHint("give rows of %s with --entities FILE, or run fstore materialize", rows.Names())
		}
		if err != nil {
			return fmt.Errorf("read the keys of %s: %w", u.Version.Ref, err)
		}
		if len(sample) == 0 {
			for _, k := range u.Keys {
				without[k.Column] = append(without[k.Column], u.Version.Ref.String())
			}
			continue
		}
		if err := decodeKeys(values, u.Keys, sample); err != nil {
			return fmt.Errorf("read the keys of %s: %w", u.Version.Ref, err)
		}
	}
	return rows.combine(values, without)
}

// decodeKeys decodes the keys of a use into the columns that have no values yet.
func decodeKeys(values map[string]*fstore.Column, bindings []fstore.KeyBinding, keys [][]byte) error {
	into := make([]*fstore.Column, len(bindings))
	for i, b := range bindings {
		c := fstore.NewColumn(b.Column, b.Key.Type, len(keys))
		into[i] = &c
	}
	for _, key := range keys {
		if err := fstore.DecodeKey(key, into); err != nil {
			return err
		}
	}
	for i, b := range bindings {
		if values[b.Column] == nil {
			values[b.Column] = into[i]
		}
	}
	return nil
}

// combine adds as many rows as the longest column has values, and one if no column has any; shorter columns begin again. without has
// the view versions that have no keys, by column.
func (k *KeyRows) combine(values map[string]*fstore.Column, without map[string][]string) error {
	n := 1
	for _, c := range values {
		n = max(n, c.Len)
	}
	for i := range k.Columns {
		c := &k.Columns[i]
		if values[c.Name] == nil && !k.optional(c.Name) {
			return k.noValues(c.Name, without[c.Name])
		}
	}
	for row := range n {
		for i := range k.Columns {
			c := &k.Columns[i]
			if from := values[c.Name]; from != nil {
				c.AppendFrom(from, row%from.Len)
			} else {
				c.AppendNull()
			}
		}
	}
	return nil
}

func (k *KeyRows) noValues(column string, without []string) error {
	if _, ok := k.request[column]; ok {
		return fstore.Errorf(fstore.ErrUsage, "only callers know the values of the request column %s", column).
			WithHint("give rows of %s with --entities FILE, such as the labels of a training set", k.Names())
	}
	return fstore.Errorf(fstore.ErrUsage, "no values of %s are known: the state folder has no keys of %s", column, strings.Join(without, ", ")).
		WithHint("give rows of %s with --entities FILE, such as the labels of a training set; or run this where fstore materialize runs", k.Names())
}

// Draw returns n rows drawn at random, each with the same chance and any number of times. There must be rows.
func (k *KeyRows) Draw(n int, random *rand.Rand) []fstore.Column {
	out := make([]fstore.Column, len(k.Columns))
	for i := range out {
		out[i] = fstore.NewColumn(k.Columns[i].Name, k.Columns[i].Type, n)
	}
	for range n {
		row := random.IntN(k.Columns[0].Len)
		for i := range out {
			out[i].AppendFrom(&k.Columns[i], row)
		}
	}
	return out
}
