package flight

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// Sets are the training sets of one project, and the labels that they are made from.
type Sets interface {
	// Find returns a training set. The error is ErrNotFound.
	Find(ctx context.Context, name string) (*Set, error)
	// List returns all training sets but those that were replaced.
	List(ctx context.Context) ([]*Set, error)
	// Open opens the file of a training set. The error is ErrNotFound if it is gone.
	Open(set *Set) (File, error)
	// Check returns server.ErrDamaged unless the open file of a training set has the digest that its lock names.
	Check(ctx context.Context, set *Set, file File) error
	// NewLabels begins a file of labels. Its error, and that of Write, is of server.Full if there are too many labels.
	NewLabels(ctx context.Context) (Labels, error)
	// Create makes a training set, or returns the one that was made from the same inputs. say gets lines of JSON about
	// progress, warnings and the error; its own error ends the work. summary is a JSON object. After Create
	// returns, the training set is either recorded or fully removed.
	Create(ctx context.Context, r *Creation, say func(line []byte) error) (summary []byte, err error)
	// Preview computes what Create would write to the file of a training set, and records nothing. say is as for Create.
	Preview(ctx context.Context, r *Request, say func(line []byte) error) (*Preview, error)
}

// Set is a training set.
type Set struct {
	Name    string
	Created time.Time
	Service string // without its version; empty: a list of features
	Rows    int64
	Path    string
	Size    int64
	SHA256  string
	Content string // digest of rows and columns
	Lock    []byte // JSON
	// Instants are the columns with timestamps that are instants in UTC. The file has them without a zone.
	Instants map[string]bool
}

// File is an open file of a training set.
type File interface {
	io.ReaderAt
	io.ReadSeekCloser
	Stat() (fs.FileInfo, error)
}

// Labels is a file of labels that is being written.
type Labels interface {
	io.Writer
	// Keep ends the file, and returns its SHA-256. When it returns, the file survives a crash.
	Keep() (digest string, err error)
	// Discard removes the file, unless it was kept.
	Discard()
}

// Request says which features of which labels are wanted.
type Request struct {
	Service   string   `json:"service,omitempty"`    // or Features, or Model
	Features  []string `json:"features,omitempty"`   //
	Model     string   `json:"model,omitempty"`      // NAME@VERSION or NAME@ALIAS
	Labels    string   `json:"labels,omitempty"`     // digest; or LabelsSQL
	LabelsSQL string   `json:"labels_sql,omitempty"` //
	Timestamp string   `json:"timestamp,omitempty"`
	Sample    *int64   `json:"sample,omitempty"`
	Seed      *int64   `json:"seed,omitempty"`
	AsOf      string   `json:"as_of,omitempty"`
	LeakCheck string   `json:"leak_check,omitempty"`
}

// Creation says what to make a training set from.
type Creation struct {
	Name string `json:"name"`
	Request
	Label    []string `json:"label,omitempty"`
	Replace  bool     `json:"replace,omitempty"`
	Snapshot bool     `json:"snapshot,omitempty"`
}

// Preview is labels with their features, without a name or a record. Close removes the file.
type Preview struct {
	Summary []byte // JSON object
	Rows    int64
	io.ReadCloser
}
