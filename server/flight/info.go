package flight

import (
	"context"
	"encoding/json"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/fstore-dev/fstore/server/access"
)

// metadata is what app_metadata says of a training set.
type metadata struct {
	Name    string          `json:"name"`
	Created time.Time       `json:"created"`
	Service string          `json:"service,omitempty"`
	Rows    int64           `json:"rows"`
	Bytes   int64           `json:"bytes"`  // of the Parquet file
	SHA256  string          `json:"sha256"` // of the Parquet file
	Digest  string          `json:"digest"` // of rows and columns
	Lock    json.RawMessage `json:"lock,omitempty"`
}

// GetFlightInfo implements flight.FlightServer. A path has the name of a training set, and may have its form.
func (a *API) GetFlightInfo(ctx context.Context, d *flight.FlightDescriptor) (info *flight.FlightInfo, err error) {
	err = a.run(ctx, "GetFlightInfo", func(ctx context.Context) error {
		set, as, err := a.described(ctx, d)
		if err != nil {
			return err
		}
		info, err = a.info(set, as, set.Lock)
		return err
	})
	return info, err
}

// GetSchema implements flight.FlightServer.
func (a *API) GetSchema(ctx context.Context, d *flight.FlightDescriptor) (result *flight.SchemaResult, err error) {
	err = a.run(ctx, "GetSchema", func(ctx context.Context) error {
		set, as, err := a.described(ctx, d)
		if err != nil {
			return err
		}
		info, err := a.info(set, as, nil)
		if err == nil {
			result = &flight.SchemaResult{Schema: info.Schema}
		}
		return err
	})
	return result, err
}

// ListFlights implements flight.FlightServer: the training sets that the caller may read, without their locks.
func (a *API) ListFlights(_ *flight.Criteria, stream flight.FlightService_ListFlightsServer) error {
	return a.run(stream.Context(), "ListFlights", func(ctx context.Context) error {
		if err := a.core.MaySome(ctx, access.OfflineRead); err != nil {
			return err
		}
		sets, err := a.sets.List(ctx)
		if err != nil {
			return err
		}
		for _, set := range sets {
			if !a.covers(ctx, access.OfflineRead, set) {
				continue
			}
			info, err := a.info(set, asBatches, nil)
			if err != nil { // its file is away: reading it says so
				info = &flight.FlightInfo{FlightDescriptor: descriptorOf(set, asBatches), TotalRecords: set.Rows, TotalBytes: set.Size}
			}
			if err := stream.Send(info); err != nil {
				return err
			}
		}
		return nil
	})
}

// described returns the training set that a descriptor names.
func (a *API) described(ctx context.Context, d *flight.FlightDescriptor) (*Set, form, error) {
	path, err := pathOf(d)
	if err != nil {
		return nil, "", err
	}
	as := asBatches
	switch {
	case path[0] != setsPath || len(path) < 2 || len(path) > 3:
		return nil, "", badPath(path)
	case len(path) == 3:
		if as = form(path[2]); as != asBatches && as != asBytes {
			return nil, "", badPath(path)
		}
	}
	set, err := a.found(ctx, access.OfflineRead, path[1])
	return set, as, err
}

// The first elements of paths.
const (
	setsPath   = "training_sets"
	labelsPath = "labels"
)

func descriptorOf(set *Set, as form) *flight.FlightDescriptor {
	path := []string{setsPath, set.Name}
	if as != asBatches {
		path = append(path, string(as))
	}
	return &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: path}
}

// info describes a training set. Its file is opened for the schema; DoGet is what checks the digest.
func (a *API) info(set *Set, as form, lock []byte) (*flight.FlightInfo, error) {
	schema, rows := bytesSchema, int64(-1)
	if as == asBatches {
		var err error
		if schema, err = a.schemaOf(set); err != nil {
			return nil, err
		}
		rows = set.Rows
	}
	meta, err := json.Marshal(metadata{set.Name, set.Created, set.Service, set.Rows, set.Size, set.SHA256, set.Content, lock})
	if err != nil {
		return nil, err
	}
	t, err := ticket{a.o.Project, set.Name, set.SHA256, as}.encode()
	if err != nil {
		return nil, err
	}
	return &flight.FlightInfo{
		Schema:           flight.SerializeSchema(schema, memory.DefaultAllocator),
		FlightDescriptor: descriptorOf(set, as),
		Endpoint:         []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: t}}},
		TotalRecords:     rows, TotalBytes: set.Size, Ordered: true, AppMetadata: meta,
	}, nil
}

func (a *API) schemaOf(set *Set) (*arrow.Schema, error) {
	file, err := a.sets.Open(set)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := openRows(file, set)
	if err != nil {
		return nil, err
	}
	return r.schema, nil
}
