// Package record has the records that a registry keeps, and the transactions in which its backends read and write them.
//
// A record is a plain struct of numbers and text. Instants are microseconds since 1970 in UTC, and zero where there is
// none. Whatever has structure of its own is JSON, which the registry encodes and decodes: to a backend it is text.
package record

import (
	"context"
	"iter"
	"reflect"
)

// Record is a pointer to one of the structs below.
type Record interface {
	// Key returns the fields that identify the record among those of its type in a project. It can be compared with ==.
	Key() any
}

// New returns an empty record of r's type.
func New(r Record) Record { return reflect.New(reflect.TypeOf(r).Elem()).Interface().(Record) }

// Tx reads and writes the records of one project. It sees the state at its start and what it has written itself. It ends
// when the function returns to which the backend has given it, and one goroutine uses it at a time.
type Tx interface {
	// Get fills in the record that has the key of r, and reports whether there is one.
	Get(ctx context.Context, r Record) (bool, error)

	// List returns all records of r's type: commits and training sets with the newest first, the others in no order. It
	// ends with the first error. The transaction is not used again until the loop ends.
	List(ctx context.Context, r Record) iter.Seq2[Record, error]

	// Put adds a record, or replaces the one with its key. A TrainingSet with ID 0 gets a new ID. A record is put after
	// those that it refers to, and the Project before the others; a backend may refuse it with ErrCorrupt otherwise.
	Put(ctx context.Context, r Record) error

	// Delete removes the record that has the key of r, if there is one. Training sets and their locks are never deleted.
	Delete(ctx context.Context, r Record) error
}

// Project is the one record of its type in a project.
type Project struct {
	Revision int64 // rises with every apply, promotion and change of a model
}

// Version is an immutable version of a view or a service.
type Version struct {
	Kind, Name  string
	Version     int
	Fingerprint string
	Algorithm   string // that made the fingerprint
	Definition  string // JSON
}

// Head is a definition as the last apply found it.
type Head struct {
	Kind, Name string
	Version    int    // of views and services; else 0
	Definition string // JSON
}

// Serving is the version that a view or service name answers with.
type Serving struct {
	Kind, Name string
	Version    int
	Since      int64
}

// Commit is one apply.
type Commit struct {
	ID          int64 // counts from 1 in a project
	Revision    int64
	Time        int64
	Author      string
	Message     string
	GitRevision string
	Dirty       bool
	Objects     string // JSON
}

// Model is a version of a model and the features pinned to it.
type Model struct {
	Name, Version string
	Pinned        int64
	Author        string
	Features      string // JSON
	Service       string // churn@2, or empty: where the features came from
	TrainingSet   int64  // ID of the training set that they came from; 0: none
}

// Alias is another name of a version of a model.
type Alias struct{ Model, Alias, Version string }

// Idle is a version of a view that was live and is not.
type Idle struct {
	Name    string
	Version int
	Since   int64
}

// Publication has the counts of what a run published of a version of a view.
type Publication struct {
	Name    string
	Version int
	Store   string // the online store that has it
	Slot    int    // counts from 0 to a bound, and then begins again
	Run     string
	Counts  string // JSON
}

// Expected is what is expected of a source in head or of a version of a view, as it was last applied.
type Expected struct {
	Kind, Name   string
	Version      int    // of views; else 0
	Expectations string // JSON
}

// Checked is how the latest checks of a source or of a version of a view came out.
type Checked struct {
	Kind, Name string
	Version    int    // of views; else 0
	History    string // JSON, the newest first
}

// Monitored is how the latest rounds of monitoring a model came out.
type Monitored struct {
	Service        string // whose features they are; empty: of none
	Model, Version string // empty: the service itself
	History        string // JSON, the newest first
}

// Alert is a condition that people are told of: it fires, or not all of them know yet that it is resolved.
type Alert struct {
	Name  string // of the condition
	State string // JSON
}

// TrainingSet is a training set without its lock.
type TrainingSet struct {
	ID      int64 // never used twice in a backend; the newest has the highest
	Name    string
	Created int64
	Service string
	Rows    int64
	Out     string
	Retired int64 // when its name was given to another
}

// Lock is the lock of a training set. It is apart from the set because it may be large. It is put after the set.
type Lock struct {
	ID   int64  // of the training set
	JSON string // as the lock file has it
}

// Lease is held by one process at a time.
type Lease struct {
	Name    string
	Token   string // of who took it last
	Holder  Holder
	Expires int64
}

// Holder names the process that holds a lease, in a form that only its backend understands.
type Holder string

// HolderState is what a backend knows of the holder of a lease.
type HolderState struct {
	Name string // for people
	Gone bool   // it certainly runs no longer
}

// Seen is a state of a project that a watcher has seen.
type Seen struct {
	Storage  int64 // counts the storages that were found under the registry's name, such as files
	Revision int64 // of the project in it
}

type (
	number  struct{ id int64 }
	object  struct{ kind, name string }
	version struct {
		kind, name string
		version    int
	}
	slot struct {
		name, store   string
		version, slot int
	}
	pair    struct{ name, of string }
	subject struct{ service, model, version string }
)

// Key is empty: a project has one.
func (*Project) Key() any { return struct{}{} }

// Key is the kind, name and version.
func (r *Version) Key() any { return version{r.Kind, r.Name, r.Version} }

// Key is the kind and name.
func (r *Head) Key() any { return object{r.Kind, r.Name} }

// Key is the kind and name.
func (r *Serving) Key() any { return object{r.Kind, r.Name} }

// Key is the ID.
func (r *Commit) Key() any { return number{r.ID} }

// Key is the model's name and version.
func (r *Model) Key() any { return pair{r.Name, r.Version} }

// Key is the model's name and the alias.
func (r *Alias) Key() any { return pair{r.Model, r.Alias} }

// Key is the view's name and version.
func (r *Idle) Key() any { return version{"", r.Name, r.Version} }

// Key is the view's name and version, the store and the slot.
func (r *Publication) Key() any { return slot{r.Name, r.Store, r.Version, r.Slot} }

// Key is the kind, name and version.
func (r *Expected) Key() any { return version{r.Kind, r.Name, r.Version} }

// Key is the kind, name and version.
func (r *Checked) Key() any { return version{r.Kind, r.Name, r.Version} }

// Key is the service, and the model's name and version.
func (r *Monitored) Key() any { return subject{r.Service, r.Model, r.Version} }

// Key is the name.
func (r *Alert) Key() any { return r.Name }

// Key is the ID.
func (r *TrainingSet) Key() any { return number{r.ID} }

// Key is the ID of the training set.
func (r *Lock) Key() any { return number{r.ID} }

// Key is the name.
func (r *Lease) Key() any { return r.Name }
