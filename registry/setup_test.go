package registry_test

import (
	"context"
	"testing"

	"github.com/fstore-dev/fstore/registry"
	"github.com/fstore-dev/fstore/registry/definition/definitiontest"
	"github.com/fstore-dev/fstore/registry/sqlite"
)

var (
	check       = definitiontest.Check
	report      = definitiontest.Report
	oneView     = definitiontest.OneView
	checkWhere  = definitiontest.CheckWhere
	shopArchive = definitiontest.Shop
)

func newEngine(t testing.TB) *definitiontest.Engine { return definitiontest.New(t) }

// openURL opens a registry in an SQLite file.
func openURL(ctx context.Context, url string) (*registry.Store, error) {
	b, err := sqlite.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return registry.New(b), nil
}

// openReadOnly opens a registry in an SQLite file for reading.
func openReadOnly(ctx context.Context, url string) (*registry.Store, error) {
	b, err := sqlite.OpenReadOnly(ctx, url)
	if err != nil {
		return nil, err
	}
	return registry.New(b), nil
}
