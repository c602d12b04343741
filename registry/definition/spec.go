package definition

import "github.com/fstore-dev/fstore"

// The types below are the definitions as written in YAML, with the position of every value. The loader reads them,
// and the JSON Schema for editors is generated from them. A `yaml` tag gives the key (",required"), a `doc` tag its
// description, and a `form` tag the form of its text.

// Text is a scalar with ${VAR} replaced, and its position. The Line of a Text that was not given is 0.
type Text struct {
	Value string
	Pos   fstore.Pos

	written string // before ${VAR} was replaced
}

func (t Text) given() bool { return t.Pos.Line > 0 }

// Flag is true or false, and its position.
type Flag struct {
	Value bool
	Pos   fstore.Pos
}

func (f Flag) given() bool { return f.Pos.Line > 0 }

// Literal is a default, whose type becomes known later. It is kept as JSON.
type Literal struct {
	JSON []byte
	// Written is the text of a plain scalar as it stands in the file: JSON has 34 for 0042.
	Written string
	// Expanded is the text of a plain scalar with ${VAR} replaced: ${N:-0} may be a number.
	Expanded string
	Pos      fstore.Pos
}

func (l Literal) given() bool { return l.Pos.Line > 0 }

// Pair is an entry of a mapping with free keys.
type Pair struct{ Key, Value Text }

// MetaSpec is the documentation of a definition.
type MetaSpec struct {
	Description Text   `yaml:"description" doc:"A description for people. Changing it creates no new version."`
	Owner       Text   `yaml:"owner" doc:"Who is responsible: a team or an address."`
	Tags        []Pair `yaml:"tags" doc:"Free labels, name: value."`
}

// ExpectsSpec is what sources, views and features share: what is expected of their rows or values.
type ExpectsSpec struct {
	Expect []ExpectSpec `yaml:"expect" doc:"What must hold of the rows or values before they are published, or used in a training set. Changing it creates no new version."`
}

// ExpectSpec is an entry of expect: a mapping with one check, or just the text not_null.
type ExpectSpec struct {
	Pos         fstore.Pos     `yaml:"-"`
	Unknown     bool           `yaml:"-"` // it has a key that there is not, which may be its check
	NotNull     Text           `yaml:"not_null,short" form:"not_null" doc:"true: no value is null."`
	NullRate    *AtMostSpec    `yaml:"null_rate" doc:"The greatest share of values that may be null."`
	Between     Literal        `yaml:"between" form:"range" doc:"The least and the greatest value, both included; null leaves a side open. NaN is never between."`
	In          Literal        `yaml:"in" form:"values" doc:"The values that there may be."`
	Matches     Text           `yaml:"matches" doc:"A regular expression (RE2) that each string matches, anywhere unless it has ^ and $."`
	Mean        *MeanSpec      `yaml:"mean" doc:"The range of the mean of all values."`
	Unique      []Text         `yaml:"unique" doc:"Columns whose values, taken together, occur once. Rows with a null among them are not looked at."`
	Rows        *RowsSpec      `yaml:"rows" doc:"How many rows there are; of a view, keys."`
	KeysDeleted *AtMostSpec    `yaml:"keys_deleted" doc:"The greatest share of published keys that a run may delete."`
	Freshness   *FreshnessSpec `yaml:"freshness" doc:"How old the newest row may be, by its event time."`
	SQL         Text           `yaml:"sql" form:"sqlfile" doc:"File beside this one with a SELECT over this source or view that returns bad rows."`
	Column      Text           `yaml:"column" doc:"On a source or a view: the column whose values a check looks at. On a view, a feature."`
	Mostly      Text           `yaml:"mostly" form:"share" doc:"The least share of values that must hold, for example 99%. Default: all."`
	Severity    Text           `yaml:"severity" form:"severity" doc:"error: nothing is published (the default). warn: it is reported."`
}

// AtMostSpec is the bound of a share.
type AtMostSpec struct {
	Pos fstore.Pos `yaml:"-"`
	Max Text       `yaml:"max,required" form:"share" doc:"The greatest share: 0.01 or 1%."`
}

// MeanSpec is the range of a mean.
type MeanSpec struct {
	Pos     fstore.Pos `yaml:"-"`
	Between Literal    `yaml:"between,required" form:"range" doc:"The least and the greatest mean, both included; null leaves a side open."`
}

// RowsSpec bounds a number of rows.
type RowsSpec struct {
	Pos    fstore.Pos `yaml:"-"`
	Min    Text       `yaml:"min" form:"count" doc:"The least number."`
	Max    Text       `yaml:"max" form:"count" doc:"The greatest number."`
	Change Text       `yaml:"change" form:"share" doc:"Of a view: how far the number may be from that of the last publication, up or down, for example 30%."`
}

// FreshnessSpec bounds the age of the newest row.
type FreshnessSpec struct {
	Pos   fstore.Pos `yaml:"-"`
	Warn  Text       `yaml:"warn" form:"duration" doc:"The age over which it is reported."`
	Error Text       `yaml:"error" form:"duration" doc:"The age over which nothing is published."`
}

// DriftsSpec is what views and features share: when their drift is an alarm.
type DriftsSpec struct {
	Drift *DriftSpec `yaml:"drift" doc:"When fstore drift takes a change of values for an alarm: thresholds by check, auto or off. On a view, for all its features; a feature may say otherwise. Changing it creates no new version."`
}

// DriftSpec has thresholds of drift: a mapping, or just the text off or auto.
type DriftSpec struct {
	Pos         fstore.Pos `yaml:"-"`
	Unknown     bool       `yaml:"-"` // it has a key that there is not
	All         Text       `yaml:"all,short" form:"driftmode" doc:"Of the checks that are not named here. off: they decide nothing. auto: mean and three standard deviations of the score over the training set's own windows."`
	NullRate    Text       `yaml:"null_rate" form:"sharethreshold" doc:"Absolute change of the share of nulls. Default 0.01."`
	Unseen      Text       `yaml:"unseen" form:"sharethreshold" doc:"Share of values that the training set does not have. Default 0.01."`
	OutOfRange  Text       `yaml:"out_of_range" form:"sharethreshold" doc:"Share of numbers outside the training set's range. Default 0.01."`
	Wasserstein Text       `yaml:"wasserstein" form:"threshold" doc:"Wasserstein distance in standard deviations. Default 0.1 for numbers."`
	PSI         Text       `yaml:"psi" form:"threshold" doc:"Population stability index. Default 0.2 for numbers."`
	JS          Text       `yaml:"js" form:"threshold" doc:"Jensen-Shannon distance, base 2. Default 0.1 for categories."`
	KS          Text       `yaml:"ks" form:"threshold" doc:"Kolmogorov-Smirnov statistic. Default off."`
	Cosine      Text       `yaml:"cosine" form:"threshold" doc:"Of lists of numbers: how far the cosines to the centroid moved, in standard deviations. Default 0.1."`
}

// EntitySpec is a document with kind: entity.
type EntitySpec struct {
	Pos      fstore.Pos    `yaml:"-"`
	Kind     Text          `yaml:"kind,required" form:"const entity"`
	Name     Text          `yaml:"name,required" form:"name" doc:"Name of the entity, for example customer."`
	JoinKeys []JoinKeySpec `yaml:"join_keys,required" doc:"The typed columns that identify it. Several make a composite key."`
	MetaSpec
}

// JoinKeySpec is one join key.
type JoinKeySpec struct {
	Pos  fstore.Pos `yaml:"-"`
	Name Text       `yaml:"name,required" form:"name" doc:"Column name of the key in labels and requests."`
	Type Text       `yaml:"type,required" form:"keytype" doc:"Type of the key, such as int64 or string."`
}

// SourceSpec is a document with kind: source.
type SourceSpec struct {
	Pos          fstore.Pos `yaml:"-"`
	Kind         Text       `yaml:"kind,required" form:"const source"`
	Name         Text       `yaml:"name,required" form:"name" doc:"Name by which views and SQL read it."`
	Path         Text       `yaml:"path,required" form:"path" doc:"Parquet files: a path or a glob, relative to the repo. Hive partitions become columns. ${VAR:-default} is replaced each time the files are read."`
	Rename       []Pair     `yaml:"rename" doc:"Maps the name of a column in the files to its name in fstore."`
	Optional     []Text     `yaml:"optional_columns" doc:"Columns that files may lack; they are null there. Every other column that is used must be in every file."`
	Event        Text       `yaml:"event_timestamp" doc:"Column with the instant at which a row was true. Absent: a static table, valid for all time."`
	Created      Text       `yaml:"created_timestamp" doc:"Column with the instant at which a row became known."`
	Availability Text       `yaml:"availability" form:"availability" doc:"When a row may be used: created (the default if created_timestamp is set), event (the default otherwise), or event + 2h."`
	ExpectsSpec
	MetaSpec
}

// FeatureViewSpec is a document with kind: feature_view.
type FeatureViewSpec struct {
	Pos          fstore.Pos        `yaml:"-"`
	Kind         Text              `yaml:"kind,required" form:"const feature_view"`
	Name         Text              `yaml:"name,required" form:"name" doc:"Name that services, SQL and commands use."`
	Entities     []Text            `yaml:"entities,required" form:"name" doc:"The entities it describes. Its key is the union of their join keys. [] is one global record that every label matches."`
	Source       Text              `yaml:"source" form:"name" doc:"The source whose columns it takes as they are. Either this or sql."`
	SQL          Text              `yaml:"sql" form:"sqlfile" doc:"File beside this one with a SELECT over sources and views that yields keys, event time and features."`
	Event        Text              `yaml:"event_timestamp" doc:"Column of the SQL's output with the event time. Not with source, which declares its own."`
	Created      Text              `yaml:"created_timestamp" doc:"Column of the SQL's output with the instant at which a row became known."`
	Availability Text              `yaml:"availability" form:"availability" doc:"When a row of the SQL's output may be used: created, event, or event + 2h. Default: created if created_timestamp is set, else the largest lag of its inputs."`
	TTL          Text              `yaml:"ttl" form:"duration" doc:"Maximum age of a value, for example 90d. Absent: values never expire."`
	Publish      *PublishSpec      `yaml:"publish" doc:"The batch schedule. Absent: values count as servable at once, and windows end at the clock."`
	Online       Flag              `yaml:"online" doc:"false: an intermediate view, which is neither materialized nor served. Default true."`
	Features     []FeatureSpec     `yaml:"features" doc:"The features, in the order that view.* gives. Either this or aggregations."`
	Aggregations []AggregationSpec `yaml:"aggregations" doc:"Features that aggregate the rows of the source, or of the SQL's output, over windows. They come in this order, each in the order of its windows."`
	ExpectsSpec
	DriftsSpec
	MetaSpec
}

// PublishSpec is the batch schedule of a view.
type PublishSpec struct {
	Pos    fstore.Pos `yaml:"-"`
	Every  Text       `yaml:"every,required" form:"duration" doc:"Interval between published instants, counted from the Unix epoch."`
	Offset Text       `yaml:"offset" form:"duration" doc:"Shifts the published instants; shorter than every."`
	Delay  Text       `yaml:"delay" form:"duration" doc:"How long a run takes to become servable."`
}

// FeatureSpec is one feature of a view.
type FeatureSpec struct {
	Pos     fstore.Pos `yaml:"-"`
	Name    Text       `yaml:"name,required" form:"name" doc:"Name of the feature."`
	Type    Text       `yaml:"type,required" form:"type" doc:"Type of its values, such as int64 or list<float32>."`
	Column  Text       `yaml:"column" doc:"Column of the source or of the SQL's output. Default: the name."`
	Default Literal    `yaml:"default" doc:"Value to use instead of a missing or null one, in training and online."`
	ExpectsSpec
	DriftsSpec
	MetaSpec
}

// AggregationSpec is one aggregation of a view. Each of its windows is a feature.
type AggregationSpec struct {
	Pos        fstore.Pos `yaml:"-"`
	Name       Text       `yaml:"name,required" form:"name" doc:"Its features are named after it and the window: spend_7d."`
	Function   Text       `yaml:"function,required" form:"function" doc:"What it computes of the rows in the window. Nulls do not count, except in first, last and last_n."`
	Expression Text       `yaml:"expression" doc:"SQL over the columns of one row, for example quantity * unit_price. count may go without: it counts rows then."`
	Where      Text       `yaml:"where" doc:"SQL over the columns of one row: only rows for which it is true count."`
	Type       Text       `yaml:"type,required" form:"type" doc:"Type of the features."`
	Windows    []Text     `yaml:"windows,required" form:"window" doc:"How far back each feature looks: 7d, 12h, or lifetime."`
	Hop        Text       `yaml:"hop" form:"duration" doc:"The steps in which the start of the windows moves; it divides each of them. Default with publish: 1us, which does not round; without: the largest of 1s 5s 15s 1m 5m 15m 1h 6h 1d 3d 30d that is at most a twelfth of the window."`
	P          Text       `yaml:"p" doc:"Of percentile: which one, from 0 to 1."`
	N          Text       `yaml:"n" doc:"Of last_n: how many values, from 1 to 100."`
	Default    Literal    `yaml:"default" doc:"Value to use instead of a missing or null one, in training and online."`
	ExpectsSpec
	DriftsSpec
	MetaSpec
}

// OnDemandViewSpec is a document with kind: on_demand_view.
type OnDemandViewSpec struct {
	Pos      fstore.Pos            `yaml:"-"`
	Kind     Text                  `yaml:"kind,required" form:"const on_demand_view"`
	Name     Text                  `yaml:"name,required" form:"name" doc:"Name that services and other on-demand views use."`
	Request  []RequestSpec         `yaml:"request" doc:"The columns that callers send beside the keys. In training they are columns of the labels."`
	Uses     []UseSpec             `yaml:"uses" doc:"The features of views, and of other on-demand views, that expressions may read."`
	Features []OnDemandFeatureSpec `yaml:"features,required" doc:"The features, in the order that view.* gives. An expression may use the features before it."`
	DriftsSpec
	MetaSpec
}

// RequestSpec is one request column of an on-demand view.
type RequestSpec struct {
	Pos         fstore.Pos `yaml:"-"`
	Name        Text       `yaml:"name,required" form:"name" doc:"Name by which expressions read it. Callers send it under this name, unless a service maps it."`
	Type        Text       `yaml:"type,required" form:"type" doc:"Type of its values, such as float64 or list<float32>."`
	Default     Literal    `yaml:"default" doc:"Value to use instead of null. It makes the column optional."`
	Log         Flag       `yaml:"log" doc:"false: the served log does not keep the column, whichever version of the view answers. Default true. Changing it creates no new version."`
	Description Text       `yaml:"description" doc:"A description for people. Changing it creates no new version."`
}

// UseSpec is an entry of the uses of an on-demand view: a mapping, or just the text of its ref.
type UseSpec struct {
	Pos  fstore.Pos `yaml:"-"`
	Ref  Text       `yaml:"ref,required,short" form:"ref" doc:"view.feature, or view.* for every feature of a view. Expressions read view.feature."`
	As   Text       `yaml:"as" form:"name" doc:"Name of the view in expressions: with as: origin_weather they read origin_weather.temperature."`
	Keys []Pair     `yaml:"keys" doc:"Join key: the column of labels and requests that holds it, if the names differ; for example airport: origin."`
}

// OnDemandFeatureSpec is one feature of an on-demand view.
type OnDemandFeatureSpec struct {
	Pos        fstore.Pos `yaml:"-"`
	Name       Text       `yaml:"name,required" form:"name" doc:"Name of the feature."`
	Type       Text       `yaml:"type,required" form:"type" doc:"Type of its values, such as int64 or list<float32>."`
	Expression Text       `yaml:"expression,required" doc:"CEL over request columns, view.feature, earlier features, at and event(view), for example amount / customer_orders.order_value."`
	Default    Literal    `yaml:"default" doc:"Value to use instead of null, in training and online."`
	DriftsSpec
	MetaSpec
}

// FeatureServiceSpec is a document with kind: feature_service.
type FeatureServiceSpec struct {
	Pos      fstore.Pos `yaml:"-"`
	Kind     Text       `yaml:"kind,required" form:"const feature_service"`
	Name     Text       `yaml:"name,required" form:"name" doc:"Name that requests and training sets use."`
	Features []RefSpec  `yaml:"features,required" doc:"The ordered features one model uses."`
	Request  []Pair     `yaml:"request" doc:"Request column: the name under which callers send it, if another; for example pickup_lat: lat. Labels have it under that name too."`

	MaxStaleness *MaxStalenessSpec `yaml:"max_staleness" doc:"How long ago the views of an answer may have been published, for example 36h. Beyond it, answers by the service are flagged or refused."`

	Monitor *MonitorSpec `yaml:"monitor" doc:"How fstore monitor watches the models of the service. Changing it creates no new version."`
	MetaSpec
}

// MonitorSpec is monitor of a service.
type MonitorSpec struct {
	Pos       fstore.Pos `yaml:"-"`
	Reference Text       `yaml:"reference" form:"name" doc:"Training set that current values are compared with. Default: the one that each model version is pinned to."`
	Current   Text       `yaml:"current" form:"current" doc:"What is compared with it. store: what is published (the default). served: what servers answered, from the served log of serve.log.path."`
	Window    Text       `yaml:"window" form:"duration" doc:"With served: only answers of this length of time, for example 7d. Default: all that the log has."`
	By        Text       `yaml:"by" form:"period" doc:"With served: the report also compares each hour, day, week or month."`
	FailOn    Text       `yaml:"fail_on" form:"share" doc:"Drift is an alarm if more than this share of the features has drifted, below 1. 0 means any. Default 50%."`
	Drift     []Pair     `yaml:"drift" doc:"Thresholds of drift that go before those of views and features, by CHECK for all features, FEATURE.CHECK for one, or FEATURE: off or auto; for example {psi: 0.25, order_value.js: off}."`
}

// MaxStalenessSpec is the bound of a service: a mapping, or just the text of its age.
type MaxStalenessSpec struct {
	Pos    fstore.Pos `yaml:"-"`
	Age    Text       `yaml:"age,required,short" form:"duration" doc:"Longest time since the published instant of each view that an answer uses."`
	Beyond Text       `yaml:"beyond" form:"beyond" doc:"What becomes of an answer from older data. flag: the answer says so (the default). refuse: the request fails."`
}

// RefSpec is an entry of a service: a mapping, or just the text of its ref.
type RefSpec struct {
	Pos    fstore.Pos `yaml:"-"`
	Ref    Text       `yaml:"ref,required,short" form:"ref" doc:"view.feature, or view.* for every feature of a view."`
	As     Text       `yaml:"as" form:"name" doc:"Output name of a single feature."`
	Prefix Text       `yaml:"prefix" doc:"Prefix of the output names."`
	Keys   []Pair     `yaml:"keys" doc:"Join key: the column of labels and requests that holds it, if the names differ; for example airport: origin."`
}
