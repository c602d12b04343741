package featurerepo

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"
)

// Write writes the data as Parquet into a folder: lines/ with one file a month, customers.parquet,
// products.parquet and labels.parquet.
func (s *Sample) Write(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "lines"), 0o755); err != nil {
		return fmt.Errorf("write the sample data: %w", err)
	}
	for from := 0; from < len(s.Lines); {
		to, month := from, s.Lines[from].InvoiceDate.Format("2006-01")
		for to < len(s.Lines) && s.Lines[to].InvoiceDate.Format("2006-01") == month {
			to++
		}
		if err := write(filepath.Join(dir, "lines", month+".parquet"), s.Lines[from:to]); err != nil {
			return err
		}
		from = to
	}
	if err := write(filepath.Join(dir, "customers.parquet"), s.Customers); err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "products.parquet"), s.Products); err != nil {
		return err
	}
	return write(filepath.Join(dir, "labels.parquet"), s.Labels)
}

func write[T any](path string, rows []T) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the sample data: %w", err)
	}
	w := parquet.NewGenericWriter[T](f, parquet.Compression(&parquet.Snappy), parquet.CreatedBy("fstore", "sample", ""))
	_, err = w.Write(rows)
	if closing := w.Close(); err == nil {
		err = closing
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write the sample data to %s: %w", path, err)
	}
	return nil
}
