package openlineage

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"time"
)

// A schema is the URL of the definition of a facet or an event. The first number is that of the schema's version.
const (
	eventSchema     = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
	facets          = "https://openlineage.io/spec/facets/"
	parentSchema    = facets + "1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet"
	errorSchema     = facets + "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
	engineSchema    = facets + "1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet"
	jobTypeSchema   = facets + "2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
	columnsSchema   = facets + "1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
	versionSchema   = facets + "1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
	dataSchema      = facets + "1-0-1/DatasourceDatasetFacet.json#/$defs/DatasourceDatasetFacet"
	writtenSchema   = facets + "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet"
	producerAddress = "https://github.com/fstore-dev/fstore"
)

// event is a run event of the specification 2-0-2. Inputs and outputs are never null.
type event struct {
	Time      time.Time `json:"eventTime"`
	Type      State     `json:"eventType"`
	Producer  string    `json:"producer"`
	SchemaURL string    `json:"schemaURL"`
	Run       run       `json:"run"`
	Job       job       `json:"job"`
	Inputs    []dataset `json:"inputs"`
	Outputs   []dataset `json:"outputs"`
}

// facet is what every facet has.
type facet struct {
	Producer  string `json:"_producer"`
	SchemaURL string `json:"_schemaURL"`
}

func facetOf(schema string) facet { return facet{producerAddress, schema} }

type run struct {
	ID     string    `json:"runId"`
	Facets runFacets `json:"facets"`
}

type runFacets struct {
	Engine engineFacet  `json:"processing_engine"`
	Parent *parentFacet `json:"parent,omitempty"`
	Error  *errorFacet  `json:"errorMessage,omitempty"`
}

type engineFacet struct {
	facet
	Name    string `json:"name"`
	Version string `json:"version"`
}

type parentFacet struct {
	facet
	Run struct {
		ID string `json:"runId"`
	} `json:"run"`
	Job struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"job"`
}

type errorFacet struct {
	facet
	Message  string `json:"message"`
	Language string `json:"programmingLanguage"`
}

type job struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Facets    jobFacets `json:"facets"`
}

type jobFacets struct {
	Type jobTypeFacet `json:"jobType"`
}

type jobTypeFacet struct {
	facet
	Processing  string `json:"processingType"`
	Integration string `json:"integration"`
	Type        string `json:"jobType"`
}

type dataset struct {
	Namespace    string         `json:"namespace"`
	Name         string         `json:"name"`
	Facets       datasetFacets  `json:"facets"`
	OutputFacets *writtenFacets `json:"outputFacets,omitempty"`
}

type datasetFacets struct {
	Schema  *columnsFacet `json:"schema,omitempty"`
	Version *versionFacet `json:"version,omitempty"`
	Source  *sourceFacet  `json:"dataSource,omitempty"`
}

type columnsFacet struct {
	facet
	Fields []Column `json:"fields"`
}

type versionFacet struct {
	facet
	Version string `json:"datasetVersion"`
}

type sourceFacet struct {
	facet
	Name string `json:"name"`
	URI  string `json:"uri"`
}

type writtenFacets struct {
	Statistics writtenFacet `json:"outputStatistics"`
}

type writtenFacet struct {
	facet
	Rows  int64 `json:"rowCount"`
	Bytes int64 `json:"size"`
}

// newRunID returns a random UUID of version 7, which begins with the time in milliseconds.
func newRunID(now time.Time) string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = 0x70|b[6]&0x0f, 0x80|b[8]&0x3f
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func isUUID(s string) bool { return uuid.MatchString(s) }
