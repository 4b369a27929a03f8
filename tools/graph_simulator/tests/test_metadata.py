"""The types that payloads are checked against: derived from a document in CSDL, as Graph publishes its metadata."""

from ringback_graph_simulator.metadata import derive_table, shipped_table

CSDL = """
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:DataServices>
    <Schema Namespace="microsoft.graph.callRecords" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EnumType Name="modality"><Member Name="audio" Value="0"/><Member Name="video" Value="1"/></EnumType>
      <EntityType Name="callRecord" BaseType="graph.entity">
        <Property Name="version" Type="Edm.Int64" Nullable="false"/>
        <Property Name="modalities" Type="Collection(graph.callRecords.modality)"/>
        <NavigationProperty Name="sessions" Type="Collection(graph.callRecords.session)" ContainsTarget="true"/>
      </EntityType>
      <ComplexType Name="participantEndpoint" BaseType="graph.callRecords.endpoint" OpenType="true">
        <Property Name="associatedIdentity" Type="graph.identity"/>
      </ComplexType>
      <Action Name="archive"><Parameter Name="why" Type="Edm.String"/></Action>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
"""


def test_names_types_bases_and_members_are_taken_from_the_document() -> None:
    """Nullability is not, nor is what is no type; Graph's alias becomes the whole namespace."""
    assert derive_table(CSDL) == {
        "types": {
            "microsoft.graph.callRecords.callRecord": {
                "base": "microsoft.graph.entity",
                "open": False,
                "members": {
                    "version": "Edm.Int64",
                    "modalities": "Collection(microsoft.graph.callRecords.modality)",
                    "sessions": "Collection(microsoft.graph.callRecords.session)",
                },
            },
            "microsoft.graph.callRecords.participantEndpoint": {
                "base": "microsoft.graph.callRecords.endpoint",
                "open": True,
                "members": {"associatedIdentity": "microsoft.graph.identity"},
            },
            "microsoft.graph.entity": {"base": None, "open": False, "members": {"id": "Edm.String"}},
        },
        "enums": {"microsoft.graph.callRecords.modality": ["audio", "video"]},
    }


FACTS = {
    "callRecord": {"version": "Edm.Int64", "startDateTime": "Edm.DateTimeOffset", "type": "@callType"},
    "session": {"isTest": "Edm.Boolean", "segments": "[@segment]", "modalities": "[@modality]"},
    "media": {"callerNetwork": "@networkInfo", "streams": "[@mediaStream]"},
    "mediaStream": {
        "averageJitter": "Edm.Duration",
        "averagePacketLossRate": "Edm.Single",
        "packetUtilization": "Edm.Int64",
    },
    "networkInfo": {"connectionType": "@networkConnectionType", "linkSpeed": "Edm.Int64", "ipAddress": "Edm.String"},
}
"""Of Graph's published metadata, by hand: `@` is a type of call records, brackets are a collection."""


def test_the_shipped_table_says_what_the_published_metadata_says() -> None:
    """A table that was changed to suit the simulator would let wrong payloads pass."""
    table = shipped_table()
    for name, members in FACTS.items():
        known = table["types"][f"microsoft.graph.callRecords.{name}"]["members"]
        assert {member: known[member] for member in members} == {each: _full(kind) for each, kind in members.items()}
    assert table["enums"]["microsoft.graph.callRecords.callType"] == [
        *("unknown", "groupCall", "peerToPeer", "unknownFutureValue"),
    ]


def _full(kind: str) -> str:
    return kind.replace("[", "Collection(").replace("]", ")").replace("@", "microsoft.graph.callRecords.")
