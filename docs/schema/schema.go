// Package schema embeds the JSON Schemas of definitions and settings, with which editors complete and check YAML.
package schema

import "embed"

// Files are definitions.json and settings.json.
//
//go:embed *.json
var Files embed.FS
