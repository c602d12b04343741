package system

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/status"

	fstorev1 "github.com/fstore-dev/fstore/proto/fstore/v1"
)

// ask is a request: a service or references, for key columns of one length; none where no view has a key.
type ask struct {
	kind    string // what sort of request, for the count
	service string
	refs    []string
	columns map[string][]int64
	events  bool
}

func (q *ask) rows() int {
	for _, c := range q.columns {
		return len(c)
	}
	return 1
}

// key returns the key that an output is looked up by.
func (q *ask) key(o output, row int) int64 {
	if o.view == beacon {
		return 0
	}
	return q.columns[o.column][row]
}

func (q *ask) String() string {
	return fmt.Sprintf("%s %s%v for %v", q.kind, q.service, q.refs, q.columns)
}

// answer is an answer over either transport.
type answer struct {
	code, message  string
	rows           int
	service        string
	serviceVersion int
	views          []viewAnswer
	features       []featureAnswer
}

type viewAnswer struct {
	name       string
	version    int
	generation string
	published  int64 // microseconds
}

// featureAnswer is a feature's values: ints or texts, by its type.
type featureAnswer struct {
	name, typ string
	ints      []int64
	texts     []string
	statuses  []byte  // nil: all present
	events    []int64 // microseconds; nil where they were not asked for
}

// askGRPC sends a request over gRPC.
func askGRPC(ctx context.Context, client fstorev1.FeatureStoreClient, q *ask) *answer {
	req := &fstorev1.GetOnlineFeaturesRequest{EventTimestamps: q.events}
	if q.service != "" {
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Service{Service: q.service}
	} else {
		req.Selection = &fstorev1.GetOnlineFeaturesRequest_Features{Features: &fstorev1.FeatureRefs{Refs: q.refs}}
	}
	for name, keys := range q.columns {
		req.Entities = append(req.Entities, &fstorev1.Column{Name: name, Int64Values: keys})
	}
	resp, err := client.GetOnlineFeatures(ctx, req)
	if err != nil {
		s := status.Convert(err)
		var code strings.Builder
		for i, c := range s.Code().String() {
			if i > 0 && c >= 'A' && c <= 'Z' {
				code.WriteByte('_')
			}
			code.WriteRune(c)
		}
		return &answer{code: strings.ToUpper(code.String()), message: s.Message()}
	}
	a := &answer{code: "OK", rows: int(resp.GetRows()), service: resp.GetService().GetName(), serviceVersion: int(resp.GetService().GetVersion())}
	for _, v := range resp.GetViews() {
		a.views = append(a.views, viewAnswer{v.GetName(), int(v.GetVersion()), v.GetGeneration(), v.GetPublishedMicros()})
	}
	for _, f := range resp.GetFeatures() {
		a.features = append(a.features, featureAnswer{
			name: f.GetName(), typ: f.GetType(), ints: f.GetInt64Values(), texts: f.GetStringValues(),
			statuses: f.GetStatuses(), events: f.GetEventTimestamps(),
		})
	}
	return a
}

// jsonAnswer is the body of an answer over HTTP.
type jsonAnswer struct {
	Error *struct{ Code, Message string }

	Features []struct {
		Name, Type      string
		Values          []any
		Statuses        []string
		EventTimestamps []*time.Time `json:"event_timestamps"`
	}
	Versions []struct {
		View       string
		Version    int
		Generation string
		Published  time.Time
	}
	Service struct {
		Name    string
		Version int
	}
}

// askHTTP sends a request as JSON.
func askHTTP(ctx context.Context, client *http.Client, address string, q *ask) *answer {
	body := map[string]any{"event_timestamps": q.events}
	if q.service != "" {
		body["service"] = q.service
	} else {
		body["features"] = q.refs
	}
	if q.columns != nil {
		body["entities"] = q.columns
	}
	text, err := json.Marshal(body)
	if err != nil {
		return &answer{code: "CLIENT", message: err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/online-features", bytes.NewReader(text))
	if err != nil {
		return &answer{code: "CLIENT", message: err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return &answer{code: "CLIENT", message: err.Error()}
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(resp.Body)
	var got jsonAnswer
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err == nil {
		err = decoder.Decode(&got)
	}
	if err != nil {
		return &answer{code: "CLIENT", message: fmt.Sprintf("HTTP status %d: %v: %s", resp.StatusCode, err, text)}
	}
	return got.answer(q)
}

func (j *jsonAnswer) answer(q *ask) *answer {
	if j.Error != nil {
		return &answer{code: j.Error.Code, message: j.Error.Message}
	}
	a := &answer{code: "OK", rows: q.rows(), service: j.Service.Name, serviceVersion: j.Service.Version}
	for _, v := range j.Versions {
		a.views = append(a.views, viewAnswer{v.View, v.Version, v.Generation, v.Published.UnixMicro()})
	}
	for _, f := range j.Features {
		to := featureAnswer{name: f.Name, typ: f.Type}
		for _, v := range f.Values {
			switch v := v.(type) {
			case string:
				to.texts = append(to.texts, v)
			case json.Number:
				n, err := v.Int64()
				if err != nil {
					return &answer{code: "CLIENT", message: err.Error()}
				}
				to.ints = append(to.ints, n)
			case nil:
				to.ints, to.texts = append(to.ints, 0), append(to.texts, "")
			}
			if f.Type == "string" {
				to.ints = nil
			} else {
				to.texts = nil
			}
		}
		for _, s := range f.Statuses {
			to.statuses = append(to.statuses, byte(fstorev1.Status_value["STATUS_"+s]))
		}
		for _, e := range f.EventTimestamps {
			if e == nil {
				e = new(time.Time)
			}
			to.events = append(to.events, e.UnixMicro())
		}
		a.features = append(a.features, to)
	}
	return a
}
