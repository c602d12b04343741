package lock

import (
	"path/filepath"
	"strings"
)

// FileFormat is the format of a file of labels, or of keys to look up.
type FileFormat string

// The formats.
const (
	Parquet    FileFormat = "Parquet"
	CSV        FileFormat = "CSV"
	GzippedCSV FileFormat = "gzipped CSV"
	TSV        FileFormat = "TSV"
	GzippedTSV FileFormat = "gzipped TSV"
	JSON       FileFormat = "JSON"
	JSONLines  FileFormat = "JSON lines"
)

var formats = map[string]FileFormat{
	".csv": CSV, ".csv.gz": GzippedCSV, ".tsv": TSV, ".tsv.gz": GzippedTSV, ".json": JSON, ".jsonl": JSONLines, ".ndjson": JSONLines,
}

// FormatOf returns the format of a file by its ending, in upper or lower case: Parquet, unless the ending is that of another format.
func FormatOf(path string) FileFormat {
	path = strings.ToLower(path)
	ext := filepath.Ext(path)
	if ext == ".gz" {
		ext = filepath.Ext(strings.TrimSuffix(path, ext)) + ext
	}
	if f, ok := formats[ext]; ok {
		return f
	}
	return Parquet
}
