// Package schema holds the JSON Schemas of definitions and settings, which editors complete and check YAML with.
package schema

import "embed"

// Files are definitions.json and settings.json.
//
//go:embed *.json
var Files embed.FS
