package httpapi

import (
	"io"
	"strconv"
	"time"

	"github.com/fstore-dev/fstore"
	"github.com/fstore-dev/fstore/online"
	"github.com/fstore-dev/fstore/server"
)

// WriteAnswerJSON writes an answer as one line of JSON, the form of `fstore get` and of POST /v1/online-features:
//
//	{"entities":{"customer_id":[17850,1]},
//	 "features":[{"name":"order_value","type":"float64","values":[15.3,null],"statuses":["PRESENT","NOT_FOUND"],"event_timestamps":["2011-12-09T12:50:00Z",null]}],
//	 "versions":[{"view":"customer_orders","version":3,"generation":"5f…","published":"2011-12-10T00:00:00Z"}],
//	 "service":{"name":"churn","version":2}}
//
// With on-demand features it has "on_demand":[{"view":"trip","version":1}],"builds":{"zones":"2026a","unicode":"15.0.0"}. The
// answer of a model has "model":{"name":"fraud","version":"3"} in the place of "service". A server that replays an instant adds "replayed":"2011-12-10T00:00:00Z".
// A version that was published longer ago than the service's max_staleness allows has "stale":true.
// Where windows move with the clock, "clock":"2011-12-10T00:00:03Z" says when they end.
//
// keys are the columns that were asked for. event_timestamps is there where the answer has event times, null where
// there is none; service or model where the list is one's.
func WriteAnswerJSON(w io.Writer, keys []fstore.Column, list *fstore.FeatureList, a *online.Answer) error {
	answer, err := appendAnswerJSON(nil, keys, list, a, 0)
	if err == nil {
		_, err = w.Write(answer)
	}
	return err
}

// appendAnswerJSON appends an answer. The errors are ErrTooLarge (it would have more than limit bytes, if that is not 0)
// and ErrCorrupt (a string is not UTF-8); dst is returned in any case.
func appendAnswerJSON(dst []byte, keys []fstore.Column, list *fstore.FeatureList, a *online.Answer, limit int) ([]byte, error) {
	dst = append(dst, `{"entities":{`...)
	for i := range keys {
		dst = comma(dst, i)
		dst = append(strconv.AppendQuote(dst, keys[i].Name), ':') // a name of a join key: [a-z0-9_]
		dst = keys[i].AppendValuesJSON(dst)
	}
	dst = append(dst, `},"features":[`...)
	for i := range a.Features {
		if err := server.CheckText(&a.Features[i].Column); err != nil {
			return dst, err
		}
		dst = appendFeatureJSON(comma(dst, i), &a.Features[i], a.Rows)
		if limit > 0 && len(dst) > limit {
			return dst, fstore.Errorf(fstore.ErrTooLarge, "an answer of more than %d bytes of JSON", limit).
				WithHint("ask for fewer rows or features, or over gRPC")
		}
	}
	dst = append(dst, `],"versions":[`...)
	for i, v := range a.Versions {
		dst = append(comma(dst, i), `{"view":`...)
		dst = strconv.AppendQuote(dst, v.Ref.Name)
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(v.Ref.Version), 10)
		dst = strconv.AppendQuote(append(dst, `,"generation":`...), string(v.Generation))
		dst = append(append(dst, `,"published":"`...), fstore.FormatTime(v.Published)...)
		dst = append(dst, '"')
		if v.Stale {
			dst = append(dst, `,"stale":true`...)
		}
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendOnDemandJSON(dst, a)
	if list.Service.Name != "" {
		dst = strconv.AppendQuote(append(dst, `,"service":{"name":`...), list.Service.Name)
		dst = strconv.AppendInt(append(dst, `,"version":`...), int64(list.Service.Version), 10)
		dst = append(dst, '}')
	}
	if list.Model.Name != "" { // name and version are words of ASCII letters, which quoting leaves alone
		dst = strconv.AppendQuote(append(dst, `,"model":{"name":`...), list.Model.Name)
		dst = strconv.AppendQuote(append(dst, `,"version":`...), list.Model.Version)
		dst = append(dst, '}')
	}
	dst = appendInstantJSON(dst, "replayed", a.Replayed)
	dst = appendInstantJSON(dst, "clock", a.Clock)
	return append(dst, "}\n"...), nil
}

// appendOnDemandJSON appends which on-demand views were evaluated, if any.
func appendOnDemandJSON(dst []byte, a *online.Answer) []byte {
	if len(a.OnDemand) == 0 {
		return dst
	}
	dst = append(dst, `,"on_demand":[`...)
	for i, ref := range a.OnDemand {
		dst = strconv.AppendQuote(append(comma(dst, i), `{"view":`...), ref.Name)
		dst = append(strconv.AppendInt(append(dst, `,"version":`...), int64(ref.Version), 10), '}')
	}
	dst = strconv.AppendQuote(append(dst, `],"builds":{"zones":`...), a.Builds.Zones)
	dst = strconv.AppendQuote(append(dst, `,"unicode":`...), a.Builds.Unicode)
	return append(dst, '}')
}

// appendInstantJSON appends a member, or nothing for the zero instant.
func appendInstantJSON(dst []byte, name string, at time.Time) []byte {
	if at.IsZero() {
		return dst
	}
	dst = strconv.AppendQuote(append(dst, ','), name)
	return append(append(append(dst, `:"`...), fstore.FormatTime(at)...), '"')
}

func appendFeatureJSON(dst []byte, f *online.AnswerFeature, rows int) []byte {
	dst = strconv.AppendQuote(append(dst, `{"name":`...), f.Column.Name)
	dst = strconv.AppendQuote(append(dst, `,"type":`...), f.Column.Type.String())
	dst = f.Column.AppendValuesJSON(append(dst, `,"values":`...))
	if f.Statuses != nil {
		dst = append(dst, `,"statuses":[`...)
		for i := range rows {
			dst = append(append(append(comma(dst, i), '"'), f.Status(i).String()...), '"')
		}
		dst = append(dst, ']')
	}
	if f.Events != nil {
		dst = append(dst, `,"event_timestamps":[`...)
		for i := range rows {
			dst = comma(dst, i)
			if at, ok := f.Event(i); ok {
				dst = append(append(append(dst, '"'), fstore.FormatTime(at)...), '"')
			} else {
				dst = append(dst, "null"...)
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
