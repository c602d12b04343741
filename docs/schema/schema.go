// Package schema embeds the JSON Schemas of definitions and settings, with which editors complete and check YAML.
package schema

import "embed"

// Files are those that fstore init copies into a repo.
//
//go:embed definitions.json lock.json settings.json
var Files embed.FS
