-- Print what wrk has measured as one line of exact numbers instead of its rounded report. Only
-- "done" is defined: a script that builds requests itself would cost the client time.
function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format("BENCH %d %d %d %d %d %d\n",
      summary.requests, summary.duration, summary.bytes,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
