package registrytest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/record"
)

// spoil makes a change in a transaction, reads everything there, and undoes the change.
func spoil(t *testing.T, b registry.Backend, change func(ctx context.Context, tx record.Tx) error) (err error) {
	t.Helper()
	ctx := context.Background()
	undo := b.Write(ctx, Project, func(tx record.Tx) error {
		if err = change(ctx, tx); err == nil {
			err = probe(undone{tx, b})
		}
		return errFailure
	})
	if !errors.Is(undo, errFailure) {
		t.Fatal(undo)
	}
	if err != nil && !errors.Is(err, fstore.ErrCorrupt) {
		t.Errorf("got %v, want an error of kind ErrCorrupt", err)
	}
	return err
}

func damagedRecords(t *testing.T, s *Storage) {
	b, records := filled(t, s)
	whole := map[string]record.Record{} // of each kind the record with the most text, whose JSON is spoilt part by part
	for _, r := range records {
		if kind := kindOf(r); whole[kind] == nil || len(fmt.Sprint(r)) > len(fmt.Sprint(whole[kind])) {
			whole[kind] = r
		}
	}
	for _, r := range records {
		fields := reflect.ValueOf(r).Elem()
		for i := range fields.NumField() {
			for _, bad := range damaged(fields.Field(i), whole[kindOf(r)] == r) {
				other := record.New(r)
				reflect.ValueOf(other).Elem().Set(fields)
				reflect.ValueOf(other).Elem().Field(i).Set(bad)
				err := spoil(t, b, func(ctx context.Context, tx record.Tx) error { return tx.Put(ctx, other) })
				name := fields.Type().Field(i).Name
				if isJSON := name == "Definition" || name == "Features" || name == "Objects"; isJSON && err == nil && !json.Valid([]byte(bad.String())) {
					t.Errorf("%T: %s is %q: no error", r, name, bad)
				}
				if t.Failed() {
					t.Fatalf("%T: %s is %.300v", r, name, bad)
				}
			}
		}
	}
	same(t, b, Project, records)
}

// kindOf returns the type of a record, and of a definition its kind.
func kindOf(r record.Record) string {
	switch r := r.(type) {
	case *record.Version:
		return "version of " + r.Kind
	case *record.Head:
		return "head of " + r.Kind
	}
	return fmt.Sprintf("%T", r)
}

// damaged returns what could be in a field instead of its value; with parts, also its JSON without one part.
func damaged(field reflect.Value, parts bool) (out []reflect.Value) {
	var values []any
	switch field.Kind() {
	case reflect.String:
		for _, text := range []string{"", "{", "null", "[]", "{}", "[null]", `"text"`, "no@ref@at all", "x"} {
			values = append(values, text)
		}
		if parts {
			for _, text := range withoutOnePart(field.String()) {
				values = append(values, text)
			}
		}
	case reflect.Int, reflect.Int64:
		values = []any{-1, 0, 1, 99, 1 << 50}
	case reflect.Bool:
		values = []any{!field.Bool()}
	}
	for _, v := range values {
		out = append(out, reflect.ValueOf(v).Convert(field.Type()))
	}
	return out
}

// withoutOnePart returns JSON objects with one part null, each part in turn; none if the text is not an object.
func withoutOnePart(text string) (out []string) {
	var value map[string]any
	if json.Unmarshal([]byte(text), &value) != nil {
		return nil
	}
	show := func() {
		changed, err := json.Marshal(value)
		if err == nil {
			out = append(out, string(changed))
		}
	}
	var walk func(part any)
	walk = func(part any) {
		switch part := part.(type) {
		case map[string]any:
			for k, v := range part {
				part[k] = nil
				show()
				part[k] = v
				walk(v)
			}
		case []any:
			for i, v := range part {
				part[i] = nil
				show()
				part[i] = v
				walk(v)
			}
		}
	}
	walk(value)
	return out
}

func missingRecords(t *testing.T, s *Storage) {
	b, records := filled(t, s)
	for _, r := range records {
		switch r.(type) {
		case *record.TrainingSet, *record.Lock: // none is ever deleted
			continue
		}
		name := fmt.Sprintf("%T", r)
		err := spoil(t, b, func(ctx context.Context, tx record.Tx) error { return tx.Delete(ctx, r) })
		if strings.HasSuffix(name, ".Version") && err == nil {
			t.Errorf("%s %v is missing: no error", name, r.Key())
		}
		if t.Failed() {
			t.Fatalf("%s %v is missing", name, r.Key())
		}
	}
	same(t, b, Project, records)
}
