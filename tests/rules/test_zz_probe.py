import pytest
from tests.support.answers import everything
from tests.support.faults import *
from tests.support.findings import findings, report
P={
 "vol twice": add(CHART.volumes,[{"name":"gcp-service-account","emptyDir":{}}]),
 "env twice": add(CHART.variable_list,[{"name":"REDIS_HOST","value":"x"}],SHARED),
 "model twice": model({"model":"openai/x"},"titan-embed-text-v2"),
 "empty": write(SHARED,"litellm-helm:\n"),
 "empty own": write(AWS,"litellm-helm:\n"),
 "env names dup": set_value(ANSWERS,("cluster_environments",),["aws","aws","gcp","azure"]),
 "key dup": append(AWS,"litellm-helm: {}\n"),
 "values unknown": add(("replicasCount",),3),
 "nohost": remove(AWS, at(CHART.ingress_hosts)),
 "x at root ok": append(AWS,"x-a: &a {b: 1}\n"),
}
@pytest.mark.parametrize("n",P)
def test_p(n, repository):
    root=repository(everything()); P[n](root); print(n,"\n"+report(findings(root)))
