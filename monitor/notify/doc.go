// Package notify tells people's tools that something needs them, and that it no longer does: a webhook of one's own, Slack or
// PagerDuty.
//
// An Alert is a condition that was looked at: an expectation that does not hold, drift, a late view. It fires or is resolved.
// Whoever looks hands over what was found each time, changed or not: project.Project.Alert keeps the states in the registry and
// sends one message for each change of state. Package project makes the alerts of materialize, check and freshness itself.
// Another finder makes its own:
//
//	p.Alert(ctx, []notify.Alert{{
//		Event: notify.Drift, By: "drift", Subject: notify.Subject{Kind: "model", Name: "fraud", Version: "7"},
//		State: notify.Firing, At: to, Summary: "7 of 12 features of fraud@7 have drifted",
//		Details: []notify.Detail{{Name: "worst", Value: "order_value: PSI 0.41, over 0.2"}},
//	}})
//
// A condition is identified by Event, By and Subject, and only the same three resolve it. So a finder reports what is fine as
// well, with State Resolved, and says nothing of what it could not look at.
//
// Texts of an alert go to third parties. They may name definitions and counts, and must not have keys or values of rows. Payloads
// bound them and drop control characters. Errors name a target by its name and host, never by its URL, which may be a secret.
package notify
