plugins {
    alias(libs.plugins.android.application)
}

android {
    namespace = "dev.pocketrec.demo"
    compileSdk = libs.versions.compileSdk.get().toInt()

    defaultConfig {
        applicationId = "dev.pocketrec.demo"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = libs.versions.versionCode.get().toInt()
        versionName = libs.versions.versionName.get()
    }

    flavorDimensions += "engine"
    productFlavors {
        create("full") {
            dimension = "engine"
            ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
        }
        create("lite") { dimension = "engine" }
    }

    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
            signingConfig = signingConfigs["debug"] // for trying it out: publish with a key of your own
        }
    }

    // Stored as it is, so that it can be mapped in place.
    androidResources { noCompress += "pocketrec" }
}

/** The package that the app opens: the small one that the Python distribution ships. */
abstract class CopyPackage : DefaultTask() {
    @get:InputFile
    abstract val source: RegularFileProperty

    @get:OutputDirectory
    abstract val assets: DirectoryProperty

    @TaskAction
    fun copy() {
        val file = source.get().asFile
        file.copyTo(assets.get().file(file.name).asFile, overwrite = true)
    }
}

val copyPackage = tasks.register<CopyPackage>("copyPackage") {
    source = rootProject.layout.projectDirectory.file("../runtime/pocketrec/sample.pocketrec")
}

androidComponents {
    onVariants { variant -> variant.sources.assets?.addGeneratedSourceDirectory(copyPackage, CopyPackage::assets) }
}

dependencies {
    implementation(project(":pocketrec-core"))
    "fullImplementation"(project(":pocketrec-ort"))
    testImplementation(libs.junit)
}
