import { writeFileSync } from "node:fs";
import { buildSchema, introspectionFromSchema } from "graphql";

const schema = buildSchema(`
  "What is asked for."
  type Query { orders(first: Int = 10): [Order!]! order(id: ID!): Order }
  type Order { id: ID! name: String! total: Float day: String }
`);
writeFileSync("introspection.json", JSON.stringify({ data: introspectionFromSchema(schema) }));
