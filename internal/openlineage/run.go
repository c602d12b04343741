package openlineage

import (
	"encoding/json"
	"net/url"
	"time"
)

// State is how a run ended, or that it began.
type State string

// The states. A run that its user stopped was aborted.
const (
	started  State = "START"
	Complete State = "COMPLETE"
	Fail     State = "FAIL"
	Abort    State = "ABORT"
)

// Dataset is data that a run reads or writes. Namespace and name identify it, by OpenLineage's naming conventions.
type Dataset struct {
	Namespace string   // "": that of the configuration
	Name      string   // unique in the namespace
	Version   string   // of the data or of its definition; "": not known
	Columns   []Column // nil: not known
	Store     *Store   // where it is; nil: not known
	Written   *Written // of an output; nil: not known
}

// Column is a column of a data set.
type Column struct {
	Name        string `json:"name"`
	Type        string `json:"type,omitempty"`
	Description string `json:"description,omitempty"`
}

// Store is what holds a data set: its name, and its URI without password.
type Store struct{ Name, URI string }

// Written is how much a run wrote.
type Written struct{ Rows, Bytes int64 }

// File returns the data set of a local file or folder with an absolute path.
func File(path string) Dataset {
	return Dataset{Namespace: "file", Name: path, Store: &Store{"file", (&url.URL{Scheme: "file", Path: path}).String()}}
}

// Run is one run of a job. A nil run reports nothing. A run is not safe for concurrent use.
type Run struct {
	client  *Client
	ref     RunRef
	parent  *RunRef
	started bool
	inputs  []dataset
	outputs []dataset
}

// Begin makes a run of a job, beneath a parent unless that is nil. It sends nothing yet.
func (c *Client) Begin(job string, parent *Run) *Run {
	if c == nil {
		return nil
	}
	r := &Run{client: c, ref: RunRef{c.config.Namespace, job, newRunID(c.now())}, parent: c.config.Parent, inputs: []dataset{}, outputs: []dataset{}}
	if parent != nil {
		r.parent = &parent.ref
	}
	return r
}

// Child makes a run of another job beneath this one.
func (r *Run) Child(job string) *Run {
	if r == nil {
		return nil
	}
	return r.client.Begin(job, r)
}

// Reads adds inputs.
func (r *Run) Reads(data ...Dataset) {
	if r != nil {
		r.inputs = r.add(r.inputs, data)
	}
}

// Writes adds outputs.
func (r *Run) Writes(data ...Dataset) {
	if r != nil {
		r.outputs = r.add(r.outputs, data)
	}
}

// add adds data sets; a later one replaces an earlier one of the same name.
func (r *Run) add(to []dataset, data []Dataset) []dataset {
next:
	for _, d := range data {
		one := d.encode(r.ref.Namespace)
		for i := range to {
			if to[i].Namespace == one.Namespace && to[i].Name == one.Name {
				to[i] = one
				continue next
			}
		}
		to = append(to, one)
	}
	return to
}

// Start reports that the run has begun, with the inputs and outputs that are known by now.
func (r *Run) Start() {
	if r != nil && !r.started {
		r.started = true
		r.send(started, "")
	}
}

// End reports how the run ended. The reason of a failure must hold no value of a row.
func (r *Run) End(state State, reason string) {
	r.Start()
	if r != nil {
		r.send(state, reason)
	}
}

func (r *Run) send(state State, reason string) {
	c := r.client
	e := event{
		Time: c.now().UTC().Truncate(time.Microsecond), Type: state, Producer: producerAddress, SchemaURL: eventSchema, Inputs: r.inputs, Outputs: r.outputs,
		Run: run{ID: r.ref.RunID, Facets: runFacets{Engine: engineFacet{facetOf(engineSchema), "fstore", c.version}}},
		Job: job{Namespace: r.ref.Namespace, Name: r.ref.Job, Facets: jobFacets{jobTypeFacet{facetOf(jobTypeSchema), "BATCH", "FSTORE", "COMMAND"}}},
	}
	if r.parent != nil {
		p := &parentFacet{facet: facetOf(parentSchema)}
		p.Run.ID, p.Job.Namespace, p.Job.Name = r.parent.RunID, r.parent.Namespace, r.parent.Job
		e.Run.Facets.Parent = p
	}
	if reason != "" {
		e.Run.Facets.Error = &errorFacet{facetOf(errorSchema), reason, "Go"}
	}
	text, err := json.Marshal(e)
	if err != nil { // texts, numbers and times always encode
		panic(err)
	}
	c.enqueue(text)
}

func (d *Dataset) encode(namespace string) dataset {
	out := dataset{Namespace: d.Namespace, Name: d.Name}
	if out.Namespace == "" {
		out.Namespace = namespace
	}
	if d.Columns != nil {
		out.Facets.Schema = &columnsFacet{facetOf(columnsSchema), d.Columns}
	}
	if d.Version != "" {
		out.Facets.Version = &versionFacet{facetOf(versionSchema), d.Version}
	}
	if d.Store != nil {
		out.Facets.Source = &sourceFacet{facetOf(dataSchema), d.Store.Name, d.Store.URI}
	}
	if d.Written != nil {
		out.OutputFacets = &writtenFacets{writtenFacet{facetOf(writtenSchema), d.Written.Rows, d.Written.Bytes}}
	}
	return out
}
