// Package featurerepo is the sample feature repo, an online shop: its definitions and a generator of its data. `fstore
// init` writes it, and the README, the demo and the tests use it.
package featurerepo

import "embed"

// Files are the definitions and the settings, as they stand in this folder.
//
//go:embed *.yaml *.sql .gitignore
var Files embed.FS
