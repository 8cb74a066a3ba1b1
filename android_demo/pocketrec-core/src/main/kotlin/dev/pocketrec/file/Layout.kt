package dev.pocketrec.file

import dev.pocketrec.PackageException

/** What one array must look like; [values] names a check of [ValueChecks] and [of] its symbol. */
internal class Rule(val dtypes: List<DType>, val shape: List<String>, val values: String = "any", val of: String = "")

/** Arrays that come together, and when the manifest makes them necessary. */
internal class Group(val rules: Map<String, Rule>, val needed: (Manifest) -> Boolean)

/**
 * Which arrays a package holds: their dtypes, shapes and values, as one table.
 *
 * A shape is written in symbols. Some are fixed by the manifest (I items, names of a category, d factor width, D text
 * width, A attribute width, B and LB block entries), the others (bytes of a blob, T tokens, W words, NB and WB blocks)
 * by the first array that has them; each symbol must have the same length everywhere. Arrays not in the table are passed
 * through unchecked.
 */
internal class Layout(private val manifest: Manifest) {
    private val groups = GROUPS + tokens(manifest.encoder) + manifest.catalogue.attributes.map { Group(attribute(it)) { true } } +
        manifest.heads.map { Group(head(it.prefix)) { true } }
    private val rules = groups.flatMap { it.rules.entries }.associate { it.toPair() }

    /** The length of every symbol. */
    private val lengths = manifestLengths()

    init {
        checkShapes()
    }

    private fun checkShapes() {
        val arrays = manifest.entries.filter { it.role == "array" }.associateBy { it.name }
        for (group in groups) {
            if (!group.needed(manifest) && group.rules.keys.none(arrays::containsKey)) continue
            for ((name, rule) in group.rules) checkShape(name, rule, arrays[name] ?: throw PackageException("array '$name' is missing"))
        }
    }

    private fun checkShape(name: String, rule: Rule, entry: Entry) {
        if (entry.dtype !in rule.dtypes) {
            throw PackageException("array '$name' is ${entry.dtype?.label}, expected ${rule.dtypes.joinToString(" or ") { it.label }}")
        }
        val expected = rule.shape.joinToString(prefix = "[", postfix = "]")
        val found = entry.shape.joinToString(prefix = "(", postfix = if (entry.shape.size == 1) ",)" else ")")
        if (entry.shape.size != rule.shape.size) throw PackageException("array '$name' has shape $found, expected $expected")
        for ((length, symbol) in entry.shape.zip(rule.shape)) {
            val base = symbol.removeSuffix("+1")
            val more = if (base == symbol) 0 else 1
            if (length != lengths.getOrPut(base) { length - more } + more) {
                throw PackageException("array '$name' has shape $found, expected $expected with $base = ${lengths[base]}")
            }
        }
    }

    private fun manifestLengths(): HashMap<String, Long> {
        val lengths = hashMapOf("I" to manifest.catalogue.items.toLong(), "2" to 2L)
        for (info in manifest.catalogue.attributes) if (info.kind == "category") lengths["${info.prefix} names"] = info.values.toLong()
        manifest.answers?.let { lengths["answers"] = it.answers.toLong() }
        for (head in manifest.heads) lengths["${head.prefix} labels"] = head.labels.toLong()
        val signals = manifest.signals
        signals.factors?.let { lengths["d"] = it.dim.toLong() }
        signals.neighbours?.let { lengths["B"] = it.block.toLong() }
        signals.attributes?.let { lengths["A"] = it.toLong() }
        signals.lexical?.let { lengths["LB"] = it.block.toLong() }
        manifest.ratings?.let { lengths["R"] = it.dim.toLong() }
        if (signals.semantic != null && manifest.encoder == null) throw PackageException("manifest: signals.semantic needs an encoder")
        if (manifest.heads.isNotEmpty() && manifest.encoder == null) throw PackageException("manifest: heads need an encoder")
        if (manifest.cold != null && (manifest.encoder == null || (signals.content ?: signals.semantic) == null)) {
            throw PackageException("manifest: cold needs an encoder and texts of the items")
        }
        val widths = listOf("signals.content" to signals.content, "signals.semantic" to signals.semantic, "encoder" to manifest.encoder?.dim)
        for ((key, dim) in widths) {
            if (dim != null && dim.toLong() != lengths.getOrPut("D") { dim.toLong() }) {
                throw PackageException("manifest: $key.dim is $dim, but another text width is ${lengths["D"]}")
            }
        }
        manifest.encoder?.let { lengths["D/2"] = it.dim / 2L }
        return lengths
    }

    /** Checks what makes later use of an array safe: indices in range, offsets ordered, numbers finite. */
    fun checkValues(name: String, array: NumberArray) {
        val rule = rules[name] ?: return
        val problem = ValueChecks.problem(rule.values, array, lengths[rule.of] ?: 0)
        if (problem != null) throw PackageException("array '$name': $problem")
    }

    private companion object {
        val BYTES = listOf(DType.UINT8)
        val UINT32 = listOf(DType.UINT32)
        val FLOAT32 = listOf(DType.FLOAT32)
        val INDEX = listOf(DType.UINT16, DType.UINT32)

        val GROUPS = listOf(
            Group(strings("catalogue/id", "I", lookup = true) + strings("catalogue/title", "I", lookup = false)) { true },
            Group(dense("factors", "I", "d")) { it.signals.factors != null },
            Group(sparse("neighbours", "I", "NB", "B")) { it.signals.neighbours != null },
            Group(dense("text", "I", "D")) { it.signals.content != null || it.signals.semantic != null },
            Group(dense("attributes", "I", "A")) { it.signals.attributes != null },
            Group(
                strings("lexical/word", "W", lookup = false) + sparse("lexical", "W", "WB", "LB") + mapOf(
                    "lexical/title.hash" to Rule(UINT32, listOf("K")),
                    "lexical/title.item" to Rule(INDEX, listOf("K"), "below", "I"),
                ),
            ) { it.signals.lexical != null },
            prior("popularity"),
            prior("boost"),
            Group(
                dense("ratings", "I", "R") + mapOf(
                    "ratings/bias" to Rule(FLOAT32, listOf("I"), "prior"),
                    "ratings/spread" to Rule(FLOAT32, listOf("2", "R"), "spread"),
                ),
            ) { it.ratings != null },
            Group(
                strings("answers/text", "answers", lookup = false) + mapOf("answers/item" to Rule(UINT32, listOf("I"), "below", "answers")),
            ) { it.answers != null },
            Group(mapOf("cold/center" to Rule(FLOAT32, listOf("2", "D"), "prior"))) { it.cold != null },
            Group(mapOf("cold/factors" to Rule(FLOAT32, listOf("D+1", "d"), "prior"))) { it.cold != null && it.signals.factors != null },
            Group(
                mapOf( // what they say is checked by Replacements
                    "tokenizer/class.start" to Rule(UINT32, listOf("class runs")),
                    "tokenizer/class.value" to Rule(BYTES, listOf("class runs")),
                    "tokenizer/map.code" to Rule(UINT32, listOf("map rows")),
                    "tokenizer/map.text" to Rule(UINT32, listOf("map rows")),
                ),
            ) { it.encoder != null || it.signals.lexical != null },
        )

        fun strings(prefix: String, rows: String, lookup: Boolean): Map<String, Rule> {
            val rules = linkedMapOf(
                "$prefix.offset" to Rule(UINT32, listOf("$rows+1"), "ascending", "$prefix bytes"),
                "$prefix.text" to Rule(BYTES, listOf("$prefix bytes")),
            )
            if (lookup) rules["$prefix.slot"] = Rule(INDEX, listOf("$prefix slots"), "slots", rows)
            return rules
        }

        fun dense(prefix: String, rows: String, dim: String): Map<String, Rule> = linkedMapOf(
            "$prefix/value" to Rule(BYTES, listOf(rows, dim), "dense"),
            "$prefix/scale" to Rule(FLOAT32, listOf(rows), "scale"),
        )

        fun sparse(prefix: String, rows: String, blocks: String, entries: String): Map<String, Rule> = linkedMapOf(
            "$prefix/start" to Rule(UINT32, listOf("$rows+1"), "ascending", blocks),
            "$prefix/index" to Rule(INDEX, listOf(blocks, entries), "below", "I"),
            "$prefix/value" to Rule(listOf(DType.INT8), listOf(blocks, entries)),
            "$prefix/scale" to Rule(FLOAT32, listOf(rows), "scale"),
        )

        fun prior(name: String) = Group(mapOf("$name/value" to Rule(FLOAT32, listOf("I"), "prior"))) { name in it.signals.names }

        fun tokens(encoder: Encoder?): Group {
            val table = dense("tokens", "T", "D").toMutableMap()
            if (encoder?.bits == 4) table["tokens/value"] = Rule(BYTES, listOf("T", "D/2"), "halves")
            if (encoder?.tokenizer == "unigram") {
                table["tokenizer/score"] = Rule(FLOAT32, listOf("T"), "prior")
                table["tokenizer/normal.code"] = Rule(UINT32, listOf("normal rows")) // what they say is checked by Unigram
                table["tokenizer/normal.text"] = Rule(UINT32, listOf("normal rows"))
            }
            return Group(table + strings("tokenizer/vocab", "T", lookup = true)) { it.encoder != null }
        }

        fun head(prefix: String): Map<String, Rule> = linkedMapOf(
            "$prefix.weight" to Rule(FLOAT32, listOf("$prefix labels", "D"), "prior"),
            "$prefix.bias" to Rule(FLOAT32, listOf("$prefix labels"), "prior"),
        ) + strings("${prefix}_label", "$prefix labels", lookup = false)

        fun attribute(info: AttributeInfo): Map<String, Rule> {
            val prefix = info.prefix
            return when (info.kind) {
                "category" -> linkedMapOf(
                    "$prefix.start" to Rule(UINT32, listOf("I+1"), "ascending", "$prefix entries"),
                    "$prefix.index" to Rule(UINT32, listOf("$prefix entries"), "below", "$prefix names"),
                ) + strings("${prefix}_name", "$prefix names", lookup = true)
                "number" -> mapOf("$prefix.value" to Rule(listOf(DType.FLOAT32, DType.FLOAT64), listOf("I"), "number"))
                "boolean" -> mapOf("$prefix.value" to Rule(BYTES, listOf("I"), "boolean"))
                else -> mapOf("$prefix.value" to Rule(listOf(DType.INT64), listOf("I"), "time"))
            }
        }
    }
}
