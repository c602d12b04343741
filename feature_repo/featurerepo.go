// Package featurerepo is the example repo of fstore, an online shop: its definitions, which `fstore init` writes
// and the README, the demo and the tests use, and a generator of sample data for them.
package featurerepo

import "embed"

// Files are the definitions and the settings, as they stand in this folder.
//
//go:embed *.yaml *.sql .gitignore
var Files embed.FS
